"""What every test shares: where the real data is, how hypothesis draws, and what CI may not skip."""

import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported: same sums everywhere, no fight for cores

import pytest
from hypothesis import HealthCheck, settings

CHECKOUT = Path(__file__).resolve().parent.parent
MUST_RUN = ("browser", "alsa")

settings.register_profile(
    "latido",
    derandomize=True,  # the same draws at every run: a red test is red again
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("thorough", parent=settings.get_profile("latido"), derandomize=False, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "latido"))


def data_folder() -> Path:
    """The datasets: $LATIDO_DATA, else shared/data beside the checkout."""
    return Path(os.environ.get("LATIDO_DATA") or CHECKOUT.parent / "shared" / "data")


@pytest.fixture(scope="session")
def dataset() -> Path:
    """The folder with the real grooves and one-shots; tests that want it carry the mark ``dataset``."""
    folder = data_folder()
    if not (folder / "groove" / "info.csv").is_file():
        pytest.skip(f"no dataset at {folder}: name it by LATIDO_DATA")
    return folder


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The top folder of the repository."""
    return CHECKOUT


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """In CI a browser or ALSA test that is skipped has failed: nobody would notice it otherwise."""
    report = yield
    must_run = [name for name in MUST_RUN if item.get_closest_marker(name)]
    if os.environ.get("CI") and report.skipped and must_run and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = (
            f"{item.nodeid} is marked {must_run[0]}: it must run in CI, but was skipped: {_reason(report)}"
        )
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    """In CI a whole file may not skip itself: its marks could not be read."""
    report = yield
    if os.environ.get("CI") and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"{collector.nodeid} skipped itself as a whole in CI: {_reason(report)}"
    return report


def _reason(report) -> str:
    return str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else str(report.longrepr)
