"""What a player takes home from the page: the playing pattern as MIDI or WAV, and a recording of what is played.

MIDI, WAV   made of what plays at that moment, by the same engine, in a worker thread; the browser saves it
record      the recorder writes into a folder of this computer until it is told to stop
"""

import threading
from pathlib import Path
from typing import Final

from device.contract.pattern import STEPS_PER_BAR, STEPS_PER_BEAT
from device.control.control import Control
from device.control.recorder import Recorder, Recording
from device.control.takes import MOST_EXPORT_SECONDS, dated_name, playing_now, take_of
from device.errors import LatidoError

BARS: Final = 8
MEDIA: Final = {"midi": ("audio/midi", ".mid"), "wav": ("audio/wav", ".wav")}


class Taking:
    """Files of what one instrument plays. ``recordings``: where the recorder writes."""

    def __init__(self, control: Control, recorder: Recorder, recordings: Path) -> None:
        self._control, self._recorder, self._recordings = control, recorder, recordings
        self._busy = threading.Lock()
        self._seen = Recording()

    def take(self, kind: str) -> tuple[str, str, bytes]:
        """(name, media type, contents) of what plays now, as "midi" or "wav"; takes a second or so.

        Eight bars, or as many as last a minute. Raises LatidoError while another one is being made.
        """
        media, ending = MEDIA[kind]
        if not self._busy.acquire(blocking=False):
            raise LatidoError("another file is being made: try again in a moment")
        try:
            playing = playing_now(self._control)
            seconds = STEPS_PER_BAR / STEPS_PER_BEAT * 60.0 / playing.params.tempo_bpm
            take = take_of(playing, max(1, min(BARS, int(MOST_EXPORT_SECONDS / seconds))))
            wav, midi = Path("take.wav"), Path("take.mid")
            files = take.files(wav, midi=midi)
            return dated_name(playing.style) + ending, media, files[midi if kind == "midi" else wav]
        finally:
            self._busy.release()

    def record(self, *, on: bool) -> None:
        """Start or end the recording; never waits."""
        if on:
            self._recorder.start(self._recordings / f"{dated_name(self._control.view.style)}.wav")
        else:
            self._recorder.stop()

    def look(self) -> str:
        """Shows in the View what is being recorded; one line for the player when a recording has ended, else ""."""
        state = self._recorder.state
        name = state.path.name if state.path is not None else ""
        if name != self._control.recording:
            self._control.recording = name
        ended = self._seen.running and not state.running
        self._seen = state
        return state.message if ended else ""
