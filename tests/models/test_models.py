"""The factory bundle, played through onnxruntime."""

import subprocess
import sys
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from device.contract.archive import pack
from device.contract.bundle import Bundle, listing
from device.contract.manifest import MANIFEST, MEMBERS, encode_manifest
from device.contract.pattern import PatternGrid
from device.contract.voices import SOUND_CLASSES, VOICES
from device.engine.records import SLOT_FRAMES
from device.errors import BundleError, ModelError
from device.models.background import SoundWish
from device.models.library import factory_path, find_bundle
from device.models.models import Models


@pytest.fixture(scope="session")
def bundle() -> Bundle:
    return find_bundle()


@pytest.fixture(scope="session")
def models(bundle: Bundle) -> Models:
    return Models.load(bundle)


def style(bundle, name):
    return tuple(1.0 if own == name else 0.0 for own in bundle.manifest.styles)


def kit_wish(bundle, voice=0, **changes):
    sound_class = bundle.manifest.sound_classes[int(bundle.maps.kit_classes[0, voice])]
    latent = tuple(float(value) for value in bundle.maps.kit_latents[0, voice])
    return SoundWish(**{"sound_class": sound_class, "latent": latent, "intensities": (0.3, 0.65, 1.0)} | changes)


def reforged(bundle, **changed):
    """The bundle with changed members, their hashes forged along."""
    members = {name: changed.get(name.split(".")[0], bundle.member(name)) for name in MEMBERS}
    manifest = msgspec.structs.replace(bundle.manifest, members=listing(members))
    return Bundle.read(pack({MANIFEST: encode_manifest(manifest), **members}))


def test_the_factory_bundle_is_small_and_repeats_its_golden_outputs(models):
    assert factory_path().stat().st_size <= 8_000_000
    distances = models.verify()
    assert set(distances) == {
        "rhythm_encoder.mean", "rhythm_encoder.log_var", "rhythm_decoder.pattern",
        "sound_encoder.mean", "sound_encoder.log_var", "sound_decoder.audio",
    }  # fmt: skip


def test_the_factory_bundle_says_nothing_of_where_it_was_made(bundle):
    for name in MEMBERS:
        data = bundle.member(name)
        assert b"/home/" not in data
        assert b"site-packages" not in data
        assert b"stack_trace" not in data


def test_every_place_of_the_rhythm_map_is_a_pattern_in_every_style(bundle, models):
    side = bundle.maps.rhythm_nodes.shape[0]
    for index, name in enumerate(bundle.manifest.styles[:-1]):
        grid = models.decode_pattern(bundle.maps.rhythm_nodes[index % side, index // side % side], style(bundle, name))
        assert isinstance(grid, PatternGrid)
        assert (grid.levels >= 0.5).sum() >= 1


def test_a_latent_beyond_all_grooves_still_gives_a_pattern(bundle, models):
    for value in (1e6, -1e6, 0.0):
        models.decode_pattern((value,) * bundle.manifest.rhythm_size, style(bundle, "jazz"))


def test_a_decoded_pattern_is_encoded_near_to_where_it_came_from(bundle, models):
    latent = bundle.maps.rhythm_nodes[1, 1]
    grid = models.decode_pattern(latent, style(bundle, "house"))
    hits = PatternGrid(np.where(grid.levels[..., None] >= 0.5, grid.cells, 0.0) + 0.0)
    back = models.encode_pattern(hits, style(bundle, "house"))
    assert back.shape == latent.shape
    again = models.decode_pattern(back, style(bundle, "house"))
    same = (grid.levels >= 0.5) & (again.levels >= 0.5)
    assert same.sum() >= 0.6 * (grid.levels >= 0.5).sum()


@pytest.mark.parametrize("voice", range(len(VOICES)))
def test_every_kit_voice_has_layers_a_slot_can_hold(bundle, models, voice):
    layers = models.render_sound(kit_wish(bundle, voice))
    peaks = [float(np.abs(layer).max()) for layer in layers]
    assert len(layers) == 3
    assert peaks == sorted(peaks)
    assert 0.9 < peaks[-1] <= 1.0
    for layer in layers:
        assert layer.dtype == np.float32
        assert len(layer) <= SLOT_FRAMES
        assert np.isfinite(layer).all()
        assert layer[-1] == 0.0
        assert abs(float(layer.mean())) < 0.02


def test_every_class_sounds_at_the_edges_of_its_map_and_beyond(bundle, models):
    for index, name in enumerate(SOUND_CLASSES):
        corner = (
            bundle.maps.sound_nodes[index, 0, -1] + bundle.maps.sound_bright[index] + bundle.maps.sound_decay[index]
        )
        for latent in (corner, 100.0 * corner):
            (layer,) = models.render_sound(SoundWish(name, tuple(map(float, latent))))
            assert np.isfinite(layer).all()
            assert np.abs(layer).max() <= 1.0


def test_the_same_wish_gives_the_same_samples_also_from_another_instance(bundle, models):
    wish = kit_wish(bundle, 1, semitones=3.0)
    first, second = models.render_sound(wish), Models.load(bundle).render_sound(wish)
    for one, other in zip(first, second, strict=True):
        assert one.tobytes() == other.tobytes()


def test_tuned_up_an_octave_a_sound_is_half_as_long(bundle, models):
    hat = tuple(map(float, bundle.maps.kit_latents[0, 2]))
    wish = replace(kit_wish(bundle), sound_class="closed_hat", latent=hat)
    plain, up, down = (models.render_sound(replace(wish, semitones=tuned))[-1] for tuned in (0.0, 12.0, -12.0))
    assert len(plain) < SLOT_FRAMES / 2
    assert len(up) == pytest.approx(len(plain) / 2, rel=0.05)
    assert len(down) <= SLOT_FRAMES
    assert len(down) > len(plain)


def test_a_sound_is_encoded_whatever_its_length_and_level(bundle, models):
    audio = models.render_sound(kit_wish(bundle))[-1]
    latent = models.encode_sound(audio, "kick")
    assert latent.shape == (bundle.manifest.sound_size,)
    assert models.encode_sound(0.25 * audio, "kick") == pytest.approx(latent, abs=0.05)


@pytest.mark.parametrize("audio", [np.zeros(100), np.full(100, np.nan), np.zeros(0)])
def test_silence_and_nan_are_not_encoded(models, audio):
    with pytest.raises(ModelError, match="cannot be encoded"):
        models.encode_sound(audio.astype(np.float32), "kick")


def test_a_wish_the_bundle_cannot_grant_is_one_sentence(bundle, models):
    with pytest.raises(ModelError, match="no sound class 'gong'"):
        models.render_sound(kit_wish(bundle, sound_class="gong"))
    with pytest.raises(ModelError, match="wants latent as n x"):
        models.render_sound(kit_wish(bundle, latent=(0.0,)))
    with pytest.raises(ModelError, match="finite"):
        models.decode_pattern((float("nan"),) * bundle.manifest.rhythm_size, style(bundle, "jazz"))
    with pytest.raises(ModelError, match="an intensity"):
        models.render_sound(kit_wish(bundle, intensities=()))
    with pytest.raises(ModelError, match="semitones"):
        models.render_sound(kit_wish(bundle, semitones=float("nan")))


def test_one_flipped_weight_bit_is_refused_by_its_hash(bundle):
    damaged = bytearray(factory_path().read_bytes())
    start = bytes(damaged).index(bundle.member("sound_decoder.onnx"))
    damaged[start + 100_000] ^= 0x40
    with pytest.raises(BundleError, match=r"sound_decoder\.onnx .*damaged"):
        Bundle.read(bytes(damaged))


def test_a_model_that_is_no_onnx_or_another_model_is_refused(bundle):
    with pytest.raises(ModelError, match="sound_decoder of bundle cannot be loaded"):
        Models.load(reforged(bundle, sound_decoder=b"not a model"))
    with pytest.raises(ModelError, match="rhythm_encoder has inputs"):
        Models.load(reforged(bundle, rhythm_encoder=bundle.member("sound_encoder.onnx")))


def test_onnxruntime_is_not_imported_before_a_bundle_is_loaded():
    code = (
        "import sys, device.models.models, device.models.background, device.models.command;"
        "assert 'onnxruntime' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
