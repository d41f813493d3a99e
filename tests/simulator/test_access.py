"""The page for everybody: axe-core's checks, the order of the focus, motion only where it is wanted, pages in step."""

import contextlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from simulator_kit import Face, hear, say, until

pytestmark = pytest.mark.browser
AXE = Path(__file__).parent / "axe" / "axe.min.js"  # axe-core, MPL-2.0: see the LICENSE beside it


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844)])
def test_axe_finds_nothing_to_complain_about(chromium, panel, scheme, width, height):
    face = Face(chromium, panel, viewport={"width": width, "height": height}, color_scheme=scheme)
    try:
        face.page.locator("#more-toggle").click()
        face.page.locator("#map-corners").click()
        until(lambda: panel.view.map_kind == "corners")
        face.page.wait_for_timeout(300)
        face.js(AXE.read_text())
        found = face.js("axe.run()")
        assert len(found["passes"]) > 20
        assert [(entry["id"], [node["html"] for node in entry["nodes"]]) for entry in found["violations"]] == []
    finally:
        face.page.locator("#map-learned").click()
        until(lambda: panel.view.map_kind == "learned")
        face.context.close()


def test_the_focus_walks_from_the_top_to_the_bottom(chromium, panel):
    face = Face(chromium, panel)
    try:
        face.js("localStorage.clear()")
        order = []
        for _ in range(120):
            face.page.keyboard.press("Tab")
            name = face.js("""(() => { const e = document.activeElement; return e === document.body ? '' :
                e.closest('#map, #voices, #grid, #kit-knobs, #tone, #voice-knobs, #scenes, .morph, .song, .keys, .foot')?.id
                || e.closest('.morph, .song, .foot, .keys')?.className || e.id })()""")
            if not name:
                break
            if not order or order[-1] != name:
                order.append(name)
        wanted = ["map", "voices", "grid", "kit-knobs", "tone", "voice-knobs", "scenes", "song", "keys", "foot"]
        assert [name for name in order if name in wanted] == wanted
        seen = face.js("document.querySelectorAll('[role=slider], button, select, input').length")
        assert seen > 60
    finally:
        face.context.close()


def test_nothing_moves_for_those_who_do_not_want_it(chromium, panel):
    face = Face(chromium, panel, reduced_motion="reduce")
    try:
        until(lambda: face.js("latido.counters.states") > 20)
        moving = "document.getAnimations().filter((a) => a.effect.getTiming().duration < 900).length"
        for _ in range(10):
            assert face.js(moving) == 0
            face.page.wait_for_timeout(50)
    finally:
        face.context.close()


def test_three_pages_stay_in_step(chromium, panel):
    faces = [Face(chromium, panel) for _ in range(3)]
    try:
        for index, face in enumerate(faces):
            face.page.mouse.click(*face.within("#map", 0.2 + 0.3 * index, 0.4))
            x = until(lambda index=index: abs(panel.value("x") - 0.2 - 0.3 * index) < 0.02 and panel.value("x"))
            for other in faces:
                until(lambda other=other, x=x: abs(other.js("latido.map.x") - x) < 0.002)
                until(lambda other=other, x=x: abs(other.js("latido.knobs[0].knob.shown") - x) < 0.002)
        if panel.view.playing:
            places = [face.js("latido.clock.place(latido.clock.heard())") for face in faces]
            assert max(places) - min(places) < 6  # asked one after the other
        assert all(face.complaints == [] for face in faces)
    finally:
        for face in faces:
            face.context.close()


def test_eight_pages_are_told_the_same(panel):
    def settle(page):
        told = {}
        while told.get("chaos") != 0.3125:
            told |= hear(page, "state").get("positions", {})
        return told

    with contextlib.ExitStack() as stack:
        pages = [stack.enter_context(panel.page()) for _ in range(8)]
        for number, page in enumerate(pages):
            for count in range(20):
                say(page, type="set", name="density", position=round((number * 20 + count) / 160, 4))
        until(lambda: panel.value("density") > 0)
        say(pages[-1], type="set", name="density", position=0.5625)
        until(lambda: panel.value("density") == 0.5625)
        say(pages[0], type="set", name="chaos", position=0.3125)
        with ThreadPoolExecutor(8) as threads:
            ends = list(threads.map(settle, pages))
        assert all(end["density"] == 0.5625 for end in ends)
        say(pages[0], type="set", name="chaos", position=0)
        until(lambda: panel.value("chaos") == 0)


@pytest.fixture
def shown_at_once(chromium, panel):
    face = Face(chromium, panel)
    yield face
    face.context.close()


def test_the_first_load_is_light(shown_at_once):
    size = """performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation'))
        .reduce((sum, entry) => sum + entry.encodedBodySize, 0)"""
    assert 50_000 < shown_at_once.js(size) < 200_000
