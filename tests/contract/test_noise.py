import numpy as np
import pytest

from device.contract.noise import band_centres_hz, band_gains, noise_bands
from device.errors import ContractError


def test_same_seed_gives_the_same_noise_and_another_seed_another() -> None:
    first, again, other = (noise_bands(seed, 8, 4096, 44100) for seed in (3, 3, 4))
    assert first.shape == (1, 8, 4096)
    assert first.dtype == np.float32
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_every_band_is_equally_loud() -> None:
    noise = noise_bands(1, 40, 65536, 44100)
    assert np.allclose(np.sqrt((noise.astype(np.float64) ** 2).mean(2)), 1.0, atol=1e-3)


def test_a_band_sounds_around_its_centre() -> None:
    noise = noise_bands(1, 20, 16384, 44100)[0]
    hz = np.fft.rfftfreq(16384, 1 / 44100)
    for band, centre in enumerate(band_centres_hz(20, 44100)):
        power = np.abs(np.fft.rfft(noise[band])) ** 2
        middle = float((power * hz).sum() / power.sum())
        assert abs(middle - centre) < 0.35 * centre + 60


def test_equal_bands_add_up_to_white() -> None:
    gains = band_gains(40, np.linspace(0, 22050, 500), 44100)
    assert np.allclose((gains**2).sum(0), 1.0)


@pytest.mark.parametrize(("bands", "frames"), [(1, 100), (8, 1)])
def test_too_little_noise_is_refused(bands: int, frames: int) -> None:
    with pytest.raises(ContractError, match="at least 2 bands and 2 frames"):
        noise_bands(1, bands, frames, 44100)
