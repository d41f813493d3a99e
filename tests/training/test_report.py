"""The report of a run: a page whose pictures and sounds are all there."""

import json
import re

import numpy as np
import soundfile

from training.loop import METRICS
from training.report import COLOURS, Report, panels, scatter


def test_everything_a_page_shows_is_beside_it(tmp_path):
    report = Report(tmp_path, "A run")
    report.heading("Numbers")
    report.text("Some words.")
    report.table(["name", "value"], [("loss", 0.12345), ("steps", 7)])
    report.picture("dots", scatter(np.eye(6), ["a", "b", "c"] * 2, "Dots"), "Six dots.")
    report.sound("tone", np.sin(np.arange(800) / 5).astype(np.float32), 8000, "a tone")
    page = report.write().read_text()
    assert page.startswith(
        "# A run\n\n## Numbers\n\nSome words.\n\n| name | value |\n| --- | --- |\n| loss | 0.123 |\n"
    )
    assert "| steps | 7 |" in page
    for name in re.findall(r"\]\(([^)]+)\)", page):
        assert (tmp_path / "report" / name).stat().st_size > 0


def test_a_sound_louder_than_full_scale_is_scaled_down_a_softer_one_is_left(tmp_path):
    report = Report(tmp_path, "Sounds")
    for name, peak in (("loud", 4.0), ("soft", 0.5)):
        report.sound(name, np.array([0.0, peak, -peak / 2], np.float32), 8000, name)
    loud, _ = soundfile.read(tmp_path / "report" / "loud.wav")
    soft, rate = soundfile.read(tmp_path / "report" / "soft.wav")
    assert abs(loud).max() <= 1.0
    assert abs(loud[1] / loud[2]) == 2.0 or abs(abs(loud[1] / loud[2]) - 2.0) < 1e-3
    assert abs(soft[1] - 0.5) < 1e-4
    assert rate == 8000


def test_stereo_and_silence_can_be_shown(tmp_path):
    report = Report(tmp_path, "Sounds")
    report.sound("stereo", np.zeros((10, 2), np.float32), 44100, "two channels of nothing")
    assert soundfile.info(tmp_path / "report" / "stereo.wav").channels == 2


def test_curves_show_both_splits_loss_first_and_the_last_validation_in_numbers(tmp_path):
    rows = [
        {"step": step, "split": split, "hit_f1": 0.1 * step, "loss": 1.0 / step, "seconds": step}
        for step in (1, 2, 3)
        for split in ("train", "validation")
    ]
    (tmp_path / METRICS).write_text("".join(json.dumps(row) + "\n" for row in rows))
    report = Report(tmp_path, "Curves")
    report.curves()
    page = report.write().read_text()
    assert (tmp_path / "report" / "curves.png").is_file()
    assert page.index("| loss | 0.333 |") < page.index("| hit_f1 | 0.300 |")


def test_a_run_without_metrics_has_no_curves(tmp_path):
    report = Report(tmp_path, "Nothing yet")
    report.curves()
    assert report.write().read_text() == "# Nothing yet\n\n"


def test_panels_are_laid_out_in_rows_and_unused_places_stay_empty():
    figure, axes = panels(5, 3, (2.0, 1.0))
    assert len(axes) == 5
    assert tuple(figure.get_size_inches()) == (6.0, 2.0)


def test_every_label_of_a_scatter_has_its_own_look():
    assert len(set(COLOURS)) == len(COLOURS)
    labels = [f"label {index}" for index in range(len(COLOURS) + 3)]
    figure = scatter(np.random.default_rng(1).normal(size=(len(labels), 4)), labels, "Many")
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == labels
