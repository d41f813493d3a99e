import io

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from device.contract.pattern import PatternGrid
from device.errors import SettingError
from training.patterns.calibrate import best_thresholds, style_centres
from training.patterns.correct import OFFSET_WEIGHT, PRIOR_WEIGHT, VELOCITY_WEIGHT, corrected, slope, stride_of
from training.patterns.labels import STYLES, style_vector
from training.patterns.losses import LossConfig, kl_nats, level_nats, touch_nats
from training.patterns.model import DecoderForExport, EncoderForExport, ModelConfig, RhythmVae
from training.patterns.styles import make_windows

SMALL = ModelConfig(latent_size=8, encoder_hidden=32, decoder_hidden=32, encoder_blocks=1, decoder_blocks=1)


@pytest.fixture(scope="module")
def model() -> RhythmVae:
    torch.manual_seed(1)
    made = RhythmVae(SMALL).eval()
    made.centres.normal_()
    made.threshold.uniform_(-1.0, 1.0)
    return made


def a_style(name: str = "house") -> torch.Tensor:
    return torch.from_numpy(style_vector(name))[None]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.0, 1e6), st.sampled_from(STYLES[:-1]), st.booleans())
def test_whatever_the_latent_a_pattern_can_be_played(
    model: RhythmVae, seed: int, size: float, style: str, fill: bool
) -> None:
    latent = size * torch.randn(1, 8, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        pattern = model.decode(latent, torch.from_numpy(style_vector(style, fill=fill))[None])
    assert pattern.shape == (1, 32, 9, 3)
    PatternGrid(pattern[0].numpy())  # raises when a value is out of its range


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**31))
def test_any_pattern_has_a_latent(model: RhythmVae, seed: int) -> None:
    generator = np.random.default_rng(seed)
    cells = generator.uniform(0, 1, (2, 32, 9, 3)).astype(np.float32)
    cells[..., 2] -= 0.5
    with torch.no_grad():
        mean, log_var = model.encode(torch.from_numpy(cells), a_style().expand(2, -1))
    assert mean.shape == log_var.shape == (2, 8)
    assert torch.isfinite(mean).all()
    assert log_var.min() >= -10.0
    assert log_var.max() <= 4.0


def test_where_no_hit_is_velocity_and_offset_mean_nothing(model: RhythmVae) -> None:
    cells = torch.from_numpy(make_windows(1, ["funk"], 1).cells)
    noisy = torch.where(cells[..., :1] > 0, cells, cells + torch.tensor([0.0, 0.7, 0.3]))
    with torch.no_grad():
        assert torch.equal(model.encode(cells, a_style())[0], model.encode(noisy, a_style())[0])


def test_a_style_centre_is_taken_off_and_put_back(model: RhythmVae) -> None:
    cells, plain = torch.from_numpy(make_windows(1, ["house"], 1).cells), RhythmVae(SMALL).eval()
    plain.load_state_dict(model.state_dict())
    plain.centres.zero_()
    with torch.no_grad():
        (latent, _), (bare, _) = model.encode(cells, a_style()), plain.encode(cells, a_style())
        assert not torch.allclose(latent, bare)
        torch.testing.assert_close(model.decode(latent, a_style()), plain.decode(bare, a_style()))


def test_a_sharper_field_has_the_same_hits(model: RhythmVae) -> None:
    soft = RhythmVae(SMALL).eval()
    soft.load_state_dict(model.state_dict())
    soft.sharpness.fill_(0.4)
    latent = torch.randn(16, 8, generator=torch.Generator().manual_seed(2))
    style = a_style().expand(16, -1)
    with torch.no_grad():
        hard, graded = model.decode(latent, style)[..., 0], soft.decode(latent, style)[..., 0]
    assert torch.equal(hard >= 0.5, graded >= 0.5)
    assert (graded - 0.5).abs().mean() < (hard - 0.5).abs().mean()


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")
def test_both_halves_export_to_plain_onnx(model: RhythmVae) -> None:
    onnx = pytest.importorskip("onnx")
    style = a_style()
    for half, first in (
        (EncoderForExport(model), torch.zeros(1, 32, 9, 3)),
        (DecoderForExport(model), torch.zeros(1, 8)),
    ):
        file = io.BytesIO()
        torch.onnx.export(half.eval(), (first, style), file, opset_version=17, dynamo=False)
        graph = onnx.load_from_string(file.getvalue()).graph
        kinds = {node.op_type for node in graph.node}
        assert not kinds & {"If", "Loop", "Scan", "RandomNormalLike"}
        assert kinds & {"Gemm", "MatMul"}


def test_the_loss_is_least_for_the_truth() -> None:
    cells = torch.from_numpy(make_windows(2, ["house", "jazz"], 1).cells)
    sure = 12.0 * (2.0 * cells[..., 0] - 1.0)
    assert level_nats(sure, cells[..., 0]) < 0.1
    assert level_nats(-sure, cells[..., 0]) > 100.0
    exact = torch.stack([sure, torch.logit(cells[..., 1].clamp(1e-4, 1 - 1e-4)), torch.atanh(2 * cells[..., 2])], -1)
    velocity, offset = touch_nats(exact, cells)
    assert float(velocity) < 1e-3
    assert float(offset) < 1e-3
    assert float(kl_nats(torch.zeros(3, 8), torch.zeros(3, 8))) == 0.0


def test_beta_warms_up() -> None:
    config = LossConfig(beta=0.1, beta_steps=10)
    assert [round(config.beta_at(step), 3) for step in (0, 4, 9, 500)] == [0.01, 0.05, 0.1, 0.1]


def test_thresholds_go_where_hits_begin() -> None:
    generator = np.random.default_rng(1)
    hits = generator.random((200, 32, 9)) < 0.3
    logits = np.where(hits, 1.0, -1.0) - np.linspace(0.0, 0.8, 9) + generator.normal(0, 0.05, hits.shape)
    found = best_thresholds(logits.astype(np.float32), hits)
    assert np.abs(found + np.linspace(0.0, 0.8, 9)).max() < 1.0
    assert ((logits >= found) == hits).mean() > 0.999


def test_centres_are_where_styles_are() -> None:
    generator = np.random.default_rng(1)
    places = generator.normal(size=(len(STYLES) - 1, 4))
    vectors = np.stack([style_vector(STYLES[i % 20])[:-1] for i in range(3000)])
    latents = (vectors @ places + 0.05 * generator.normal(size=(3000, 4))).astype(np.float32)
    centres = style_centres(latents, vectors)
    shift = (style_vector("house") - style_vector("jazz"))[:-1] @ centres
    assert np.abs(shift - (places[STYLES.index("house")] - places[STYLES.index("jazz")])).max() < 0.1


def test_wrong_settings_are_told() -> None:
    with pytest.raises(SettingError, match=r"1\.\.32"):
        ModelConfig(latent_size=33)
    with pytest.raises(SettingError, match="smoothing"):
        LossConfig(smoothing=0.5)


def heard(model: RhythmVae, cells: torch.Tensor, latent: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
    """What correcting a latent tries to lower, summed over patterns."""
    logits = model.decoder(latent, style)
    velocity, offset = touch_nats(logits, cells)
    touch = VELOCITY_WEIGHT * velocity + OFFSET_WEIGHT * offset
    prior = 0.5 * PRIOR_WEIGHT * (latent**2).sum()
    return (level_nats(logits[..., 0], cells[..., 0]) + touch) * len(cells) + prior


def test_the_slope_is_the_slope(model: RhythmVae) -> None:
    windows = make_windows(2, ["house", "jazz", "latin"], 1)
    cells, style = torch.from_numpy(windows.cells), torch.from_numpy(windows.style_vectors())
    latent = torch.randn(len(windows), 8, generator=torch.Generator().manual_seed(1)).requires_grad_()
    (expected,) = torch.autograd.grad(heard(model, cells, latent, style), latent)
    with torch.no_grad():
        found = slope(model.decoder, cells, latent, style)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


def test_a_latent_corrected_by_ear_sounds_more_like_the_groove(model: RhythmVae) -> None:
    windows = make_windows(4, ["house", "jazz", "latin"], 1)
    cells, style = torch.from_numpy(windows.cells), torch.from_numpy(windows.style_vectors())
    with torch.no_grad():
        guess, _ = model.encoder(cells, style)
        stride = stride_of(model.decoder, cells, guess, style)
        better = corrected(model.decoder, cells, guess, style, stride)
        assert heard(model, cells, better, style) < heard(model, cells, guess, style)
        assert torch.equal(corrected(model.decoder, cells, guess, style, torch.zeros_like(stride)), guess)
