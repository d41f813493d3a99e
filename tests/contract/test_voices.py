"""The voices table: what everything else reads is consistent with itself."""

import pytest

from device.contract.voices import CLASS_INDEX, SOUND_CLASSES, VOICE_COUNT, VOICE_INDEX, VOICE_OF_NOTE, VOICES


def test_a_voice_is_found_by_its_index_and_by_its_name():
    assert VOICE_COUNT == 9
    for index, voice in enumerate(VOICES):
        assert voice.index == index == VOICE_INDEX[voice.name]


def test_every_voice_has_a_sound_class_of_its_own_name():
    assert {voice.name for voice in VOICES} <= set(SOUND_CLASSES)
    assert [CLASS_INDEX[name] for name in SOUND_CLASSES] == list(range(13))


def test_no_midi_note_means_two_voices():
    notes = [note for voice in VOICES for note in voice.notes_in]
    assert len(notes) == len(set(notes))
    assert all(0 <= note <= 127 for note in notes)


def test_the_note_a_voice_sends_comes_back_to_it():
    for voice in VOICES:
        assert VOICE_OF_NOTE[voice.note] == voice.index


def test_open_hat_is_choked_by_closed_hat_and_nothing_chokes_itself():
    assert VOICES[VOICE_INDEX["open_hat"]].choked_by == ("closed_hat",)
    for voice in VOICES:
        assert voice.name not in voice.choked_by
        assert set(voice.choked_by) <= set(VOICE_INDEX)


def test_voices_stand_between_left_and_right_with_kick_and_snare_in_the_middle():
    assert all(-1.0 <= voice.pan <= 1.0 for voice in VOICES)
    assert VOICES[VOICE_INDEX["kick"]].pan == VOICES[VOICE_INDEX["snare"]].pan == 0.0


@pytest.mark.parametrize(
    ("note", "name"), [(22, "closed_hat"), (26, "open_hat"), (37, "snare"), (40, "snare"), (44, "closed_hat"), (58, "low_tom"), (55, "crash"), (59, "ride")]
)  # fmt: skip
def test_a_roland_td11_is_understood(note, name):
    assert VOICE_OF_NOTE[note] == VOICE_INDEX[name]
