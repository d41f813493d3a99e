"""Commands reach audio in order, the newest parameters win, and nothing ever waits for the other half."""

import socket

import numpy as np
import pytest

from device.audio.link import MAX_WAITING, LocalLink, SocketLink
from device.engine.engine import Engine
from device.engine.records import MAX_RECORD_BYTES, SLOT_COUNT, SLOT_FRAMES, Hit, Params, Report, decode
from device.errors import LinkError


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    theirs.setblocking(False)
    link = SocketLink(ours, np.zeros((SLOT_COUNT, SLOT_FRAMES), np.float32))
    yield link, theirs
    link.close()
    theirs.close()


def everything(audio):
    records = []
    while True:
        try:
            records.append(decode(audio.recv(MAX_RECORD_BYTES)))
        except BlockingIOError:
            return records


def fill(link):
    count = 0
    while not link.waiting:
        link.send(Hit(0, 0.5))
        count += 1
    return count


def test_a_command_arrives_with_its_number_and_its_frame(pair):
    link, audio = pair
    assert link.send(Hit(3, 0.5), frame=1000) == 1
    (stamped,) = everything(audio)
    assert (stamped.command, stamped.sequence, stamped.frame) == (Hit(3, 0.5), 1, 1000)


def test_when_audio_is_full_hits_wait_in_order_and_only_the_newest_parameters(pair):
    link, audio = pair
    sent = fill(link)
    link.send(Params(tempo_bpm=100))
    link.send(Hit(1, 0.5))
    link.send(Params(tempo_bpm=120))
    newest = link.send(Hit(2, 0.5))
    received = everything(audio)
    while link.waiting:
        link.pump()
        received += everything(audio)
    assert [type(stamped.command) for stamped in received].count(Params) == 1
    assert [stamped.command.voice for stamped in received if isinstance(stamped.command, Hit)] == [0] * sent + [1, 2]
    numbers = [stamped.sequence for stamped in received]
    assert numbers == sorted(numbers)
    assert numbers[-1] == newest
    assert link.alive


def test_an_audio_half_that_reads_nothing_for_long_counts_as_dead(pair):
    link, _ = pair
    fill(link)
    for _ in range(MAX_WAITING + 1):
        link.send(Hit(0, 0.5))
    assert not link.alive
    assert link.pump() == []


def test_reports_come_oldest_first_and_foreign_records_are_counted(pair):
    link, audio = pair
    for frame in (128, 256):
        audio.send(Report(frame=frame).encode())
    audio.send(b"not a report")
    assert [report.frame for report in link.pump()] == [128, 256]
    assert link.bad_reports == 1
    assert link.pump() == []
    assert link.alive


def test_the_link_is_dead_at_once_when_audio_is_gone_and_the_last_reports_are_read(pair):
    link, audio = pair
    audio.send(Report(frame=128).encode())
    audio.close()
    assert [report.frame for report in link.pump()] == [128]
    assert not link.alive
    link.send(Hit(0, 0.5))
    assert not link.alive


def test_alive_is_known_without_sending_or_reading(pair):
    link, audio = pair
    assert link.alive
    audio.close()
    assert not link.alive


def test_a_closed_link_stays_quiet(pair):
    link, _ = pair
    link.close()
    link.close()
    link.send(Hit(0, 0.5))
    assert link.pump() == []
    assert not link.alive


def test_slots_of_another_shape_are_refused():
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs, pytest.raises(LinkError, match=r"slots are \(2, 2\)"):
        SocketLink(ours, np.zeros((2, 2), np.float32))


def test_a_local_link_is_the_same_seam_without_a_process():
    link = LocalLink(Engine(44100, np.zeros((SLOT_COUNT, SLOT_FRAMES), np.float32)))
    assert link.send(Params(tempo_bpm=100.1)) == 1
    assert link.send(Hit(3, 0.5), frame=64) == 2
    out = np.zeros((128, 2), np.float32)
    link.engine.render(out)
    (report,) = link.pump()
    assert (report.applied, report.frame, report.triggers[0].frame) == (2, 128, 64)
    assert report.tempo_bpm == np.float32(100.1)  # as it would cross between processes
    assert link.slots.shape == (SLOT_COUNT, SLOT_FRAMES)
    link.close()
    assert not link.alive
