"""Every error Latido raises on purpose, as one tree.

    LatidoError                 one clear sentence: what was wrong, where, and the way out
      ContractError             a value that device, training and export did not agree on
        BundleError             a model bundle that must not play
      DataError                 a dataset, MIDI or sound file that cannot be used
      SettingError              an unknown name or a value out of range (also a ValueError)
      AudioError                the sound card or the audio process
      LinkError                 a record that cannot cross between control and audio
      ModelError                a model that cannot be loaded or run

The command line prints the sentence and exits with ``exit_code``; nothing else is shown.
"""


class LatidoError(Exception):
    """Base of all our errors."""

    exit_code = 1


class ContractError(LatidoError, ValueError):
    """A value outside the contract of device, training and export."""


class BundleError(ContractError):
    """A bundle that is truncated, foreign, altered or of another shape."""


class DataError(LatidoError):
    """A dataset folder, MIDI file or sound file that cannot be used."""


class SettingError(LatidoError, ValueError):
    """An unknown control or setting, or a value out of range."""


class AudioError(LatidoError):
    """The sound card or the audio process."""


class LinkError(LatidoError):
    """A record that cannot cross between control and audio."""


class ModelError(LatidoError):
    """A model that cannot be loaded or run."""
