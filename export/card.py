"""The card of a bundle: what it was trained on, by whom, under which licence, how good it is, how it was made."""

from collections.abc import Mapping, Sequence
from typing import Final

from device.contract.manifest import Manifest, Parity

GROOVE_CREDIT: Final = (
    "**Groove MIDI Dataset** 1.0.0, Google LLC / Magenta, CC BY 4.0. Jon Gillick, Adam Roberts, Jesse Engel, Douglas Eck "
    'and David Bamman: "Learning to Groove with Inverse Sequence Transformations", ICML 2019. Official training split; the '
    "validation split judged it, the test split was not used."
)
SOUND_CREDITS: Final = (
    "**Drum samples provided by DrumGizmo.org**: MuldjordKit, (c) Lars Muldjord, stereo version by FreePats, CC BY 4.0.",
    "Roland TR-808 Sample Set 1.0.0 (1994), Michael Fischer / Technopolis, CC0.",
    "Sonic Pi samples and cadence sounds (freesound.org authors), CC0.",
    "free-drum-samples, Boochi44, CC0.",
    "World percussion, FreePats, and Versilian VCSL claves and conga, CC0.",
    "Body Percussion, Karoryfer Samples (D. Smolken), CC0.",
    "The Open Source Drumkit, Real Music Media, public domain.",
)
MADE_GROOVES: Final = "Grooves in twenty styles written by Latido's own generator (Apache-2.0)."
MADE_SOUNDS: Final = "Sounds of Latido's own parametric drum synthesizer (Apache-2.0)."
OWN_DATA: Final = "Other data of whoever trained it: their licence applies."


def write_card(manifest: Manifest, *, real_grooves: bool, real_sounds: bool, made: Sequence[str]) -> str:
    """Markdown. ``made`` are lines on how the models came to be."""
    lines = [f"# {manifest.name}, version {manifest.version}", ""]
    lines += [
        f"A rhythm VAE ({manifest.rhythm_size} latent numbers, {len(manifest.styles) - 1} styles and fills) and a sound VAE "
        f"({manifest.sound_size} latent numbers, {len(manifest.sound_classes)} classes, {manifest.sample_rate} Hz) "
        "for the drum instrument Latido.",
        "",
        "## Trained on",
        "",
    ]
    lines += [f"- {line}" for line in ([GROOVE_CREDIT] if real_grooves else []) + [MADE_GROOVES]]
    lines += [f"- {line}" for line in ([*SOUND_CREDITS] if real_sounds else []) + [MADE_SOUNDS]]
    lines += [
        "",
        "The models hold no recording and no groove of these; credit is due where the licence says CC BY.",
        "",
        "## Measured quality",
        "",
    ]
    for half, numbers in manifest.metrics.items():
        lines += [f"- {half}: " + ", ".join(f"{name} {value:.4g}" for name, value in numbers.items())]
    lines += ["", "## Before and after quantization", "", *parity_table(manifest.parity), ""]
    lines += ["| model | weights | layers kept in fp32 |", "|---|---|---|"]
    for name, model in manifest.models.items():
        lines += [
            f"| {name} | {model.weights} | {', '.join(model.kept_fp32) or ('all' if model.weights == 'fp32' else '')} |"
        ]
    return "\n".join([*lines, "", "## Made by", "", *(f"- {line}" for line in made), ""])


def parity_table(parity: Sequence[Parity]) -> list[str]:
    """Lines of a Markdown table."""
    rows = [f"| {row.name} | {row.fp32:.4g} {row.unit} | {row.shipped:.4g} {row.unit} |" for row in parity]
    return ["| | fp32 | shipped |", "|---|---|---|", *(row.replace("  |", " |") for row in rows)]


def metrics_line(metrics: Mapping[str, float]) -> dict[str, float]:
    """A run's metrics with names a manifest takes."""
    plain = {
        "".join(c if c.isalnum() else "_" for c in name.lower()).strip("_")[:40]: value
        for name, value in metrics.items()
    }
    return {name: float(value) for name, value in plain.items() if name}
