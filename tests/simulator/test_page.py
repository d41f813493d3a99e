"""The page in a real Chromium, beside a real instrument."""

import pytest
from simulator_kit import Face, until

from device.panel.events import BUTTONS
from device.parameters import PARAMETERS
from device.simulator.listener import listen
from device.simulator.server import PanelServer

pytestmark = pytest.mark.browser
KNOBS = [entry for entry in PARAMETERS if entry.page]
MORE = [entry for entry in PARAMETERS if not entry.page and entry.name != "mute"]


@pytest.mark.parametrize("entry", KNOBS, ids=lambda entry: entry.name)
def test_every_knob_turns_by_mouse_wheel_and_keyboard(face, entry):
    panel = face.panel
    face.show(entry.page)
    knob = face.knob(entry.name)

    def arrived():
        """What the page shows, once the instrument has it."""
        shown = face.js(f"latido.knobs.find(({{knob}}) => knob.entry.name === '{entry.name}').knob.shown")
        until(lambda: panel.value(entry.name) == pytest.approx(shown, abs=1e-4))
        return shown

    knob.focus()
    face.page.keyboard.press("Home")
    until(lambda: panel.value(entry.name) == 0.0)
    face.drag(entry.name, 100)
    dragged = arrived()
    assert 0.3 < dragged < 0.6
    knob.hover()
    face.page.mouse.wheel(0, -400)
    until(lambda: arrived() > dragged)
    wheeled = arrived()
    until(lambda: face.js("document.activeElement.dataset.parameter") == entry.name)
    face.page.keyboard.press("ArrowDown")
    fine = arrived()
    assert 0 < wheeled - fine < 0.05
    face.page.keyboard.press("PageUp")
    assert arrived() > fine
    face.page.keyboard.press("End")
    until(lambda: panel.value(entry.name) == 1.0)
    until(lambda: knob.get_attribute("aria-valuenow") == "100")
    until(lambda: knob.get_attribute("aria-valuetext") == panel.view.texts[entry.name])
    knob.dblclick()
    until(lambda: panel.value(entry.name) == pytest.approx(entry.position(entry.default), abs=1e-4))


def test_what_is_not_on_the_panel_is_under_more(face):
    face.page.locator("#more-toggle").click()
    for entry in MORE:
        face.knob(entry.name).focus()
        face.page.keyboard.press("End")
        until(lambda name=entry.name: face.panel.value(name) == 1.0)
        face.page.keyboard.press("Delete")
        default = pytest.approx(entry.position(entry.default), abs=1e-4)
        until(lambda name=entry.name, default=default: face.panel.value(name) == default)
    face.page.locator("#more-toggle").click()


def test_a_knob_says_what_it_does_in_one_sentence(face):
    face.show("play")
    face.knob("density").hover()
    told = face.page.locator("#help").inner_text()
    assert told.startswith(f"DENSITY: {next(e.help for e in KNOBS if e.name == 'density')}")
    roles = face.js(
        "[...document.querySelectorAll('.knob')].map(k => [k.getAttribute('role'), k.tabIndex, k.getAttribute('aria-label')])"
    )
    assert all(role == "slider" and tab == 0 and label for role, tab, label in roles)


def test_space_starts_and_stops_wherever_the_focus_is(face):
    if not face.panel.view.playing:
        face.page.keyboard.press("Space")
        until(lambda: face.panel.view.playing)
    for place in ("density", "x"):
        face.knob(place).focus()
        face.page.keyboard.press("Space")
        until(lambda: not face.panel.view.playing)
        until(lambda: face.button("PLAY").get_attribute("aria-pressed") == "false")
        face.page.keyboard.press("Space")
        until(lambda: face.panel.view.playing)
        until(lambda: face.button("PLAY").get_attribute("data-light") == "on")


def test_buttons_are_down_as_long_as_the_finger_is(face):
    box = face.button("FILL").bounding_box()
    face.page.mouse.move(box["x"] + 20, box["y"] + 20)
    face.page.mouse.down()
    until(lambda: face.panel.view.lights["FILL"] == "on")
    until(lambda: face.button("FILL").get_attribute("data-light") == "on")
    face.page.mouse.up()
    until(lambda: face.panel.view.lights["FILL"] == "off")
    face.page.keyboard.down("t")
    until(lambda: face.button("TEMP").get_attribute("data-light") == "blink")
    face.page.keyboard.up("t")
    until(lambda: face.button("TEMP").get_attribute("data-light") == "off")


def test_a_window_that_loses_focus_lets_go(face):
    face.page.keyboard.down("f")
    until(lambda: face.panel.view.lights["FILL"] == "on")
    face.js("window.dispatchEvent(new Event('blur'))")
    until(lambda: face.panel.view.lights["FILL"] == "off")
    face.page.keyboard.up("f")


def test_new_by_key_and_undo_with_shift(face):
    face.show("play")
    before = face.panel.value("x")
    face.page.keyboard.press("n")
    until(lambda: face.panel.value("x") != before)
    face.page.keyboard.down("Shift")
    face.page.keyboard.press("n")
    face.page.keyboard.up("Shift")
    until(lambda: face.panel.value("x") == before)
    until(lambda: face.panel.view.page == "play")


def test_walking_back_through_the_page_with_shift_and_tab_is_not_shift(face):
    face.show("play")
    face.knob("density").focus()
    for _ in range(3):
        face.page.keyboard.press("Shift+Tab")
    assert face.js("document.activeElement.dataset.parameter") == "x"
    assert face.panel.view.page == "play"


def test_enter_presses_the_button_that_has_the_focus(face):
    face.show("play")
    face.button("SHIFT").focus()
    face.page.keyboard.press("Enter")
    until(lambda: face.panel.view.page == "shift")
    face.page.keyboard.press("Enter")
    until(lambda: face.panel.view.page == "play")


def test_digits_and_pads_play_the_voices(face):
    def played(voice):
        return any(hit.voice == voice and hit.step == -1 for hit in face.panel.view.triggers)

    face.page.keyboard.press("8")
    until(lambda: played(7))
    face.page.locator(".voice .pad").nth(6).click()
    until(lambda: played(6))


def test_voices_are_chosen_and_muted_beside_their_rows(face):
    row = face.page.locator(".voice").nth(2)
    row.locator(".pick").click()
    until(lambda: face.panel.view.voice == 2)
    until(lambda: row.locator(".pick").get_attribute("aria-pressed") == "true")
    assert "Closed hat" in face.page.locator("#voice-caption").inner_text()
    row.locator(".mute").click()
    until(lambda: face.panel.value("mute", 2) == 1.0)
    until(lambda: row.locator(".mute").get_attribute("aria-pressed") == "true")
    row.locator(".mute").click()
    until(lambda: face.panel.value("mute", 2) == 0.0)


def test_the_playhead_moves_and_hits_flash(face):
    until(lambda: face.panel.view.playing)
    until(lambda: face.js("latido.clock.playing"))
    place = "latido.clock.place(latido.clock.heard())"
    before, told = face.js(place), face.js("latido.counters.hits")
    until(lambda: face.js(place) > before + 4)
    until(lambda: face.js("latido.counters.hits") > told)
    until(lambda: face.js("latido.grid.flashes.size") > 0)
    assert abs(face.js(place) - face.panel.view.step) < 4
    until(
        lambda: any(
            float(m.split("(")[1][:-1]) > 0
            for m in face.js("[...document.querySelectorAll('.meter i')].map(m => m.style.transform)")
            if m
        )
    )
    painted = """(() => { const c = document.getElementById('grid-still');
        return c.getContext('2d').getImageData(0, 0, c.width, c.height).data.filter((v, i) => i % 4 === 3 && v > 0).length })()"""
    assert face.js(painted) > 1000


def test_a_screen_reader_is_told_the_pattern(face):
    until(lambda: " on " in face.page.locator("#grid").get_attribute("aria-label"))


def test_sound_arrives_in_the_page_and_is_not_silent(face):
    if face.js("latido.sound.state") == "silent":
        face.page.locator("#hear-first").click()
    until(lambda: face.js("latido.sound.state") == "playing")
    assert face.page.locator("#hear-first").is_hidden()
    received = "latido.sound.numbers.received ?? 0"
    before = until(lambda: face.js(received))
    until(lambda: face.js(received) > before + 44100)
    until(lambda: face.js("latido.sound.numbers.played") > 22050)
    until(lambda: face.js("latido.sound.numbers.mostPeak") > 0.01)
    loudest = """(() => { const a = latido.sound.analyser, d = new Float32Array(a.fftSize);
        a.getFloatTimeDomainData(d); return Math.max(...d.map(Math.abs)) })()"""
    until(lambda: face.js(loudest) > 0.01)
    until(lambda: "in this page" in face.page.locator("#health").inner_text())
    face.page.locator("#hear").click()
    until(lambda: face.js("latido.sound.state") == "off")
    face.page.locator("#hear").click()
    until(lambda: face.js("latido.sound.numbers.played ?? 0") > 1000)


def test_light_and_dark(face):
    before = face.js("latido.theme()")
    face.page.locator("#theme").click()
    assert face.js("latido.theme()") != before
    face.page.locator("#theme").click()
    assert face.js("latido.theme()") == before


def test_the_page_asks_nobody_but_the_instrument(face):
    here = f"127.0.0.1:{face.panel.server.port}/"
    assert face.asked
    assert all(url.split("//", 1)[1].startswith(here) for url in face.asked if not url.startswith("data:"))


@pytest.mark.parametrize(("width", "height", "touch"), [(390, 844, True), (820, 1180, True), (1280, 800, False)])
def test_everything_fits_in_the_width(chromium, panel, width, height, touch):
    face = Face(chromium, panel, viewport={"width": width, "height": height}, has_touch=touch)
    try:
        assert face.js("document.documentElement.scrollWidth") <= width
        for name in BUTTONS:
            box = face.button(name).bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
            assert box["height"] >= 44
        assert face.js("document.querySelectorAll('#kit-knobs .knob, #voice-knobs .knob').length") == 8
        assert face.complaints == []
    finally:
        face.context.close()


def test_a_finger_turns_a_knob_without_scrolling_the_page(chromium, panel):
    face = Face(chromium, panel, viewport={"width": 390, "height": 700}, has_touch=True)
    try:
        face.show("play")
        before = panel.value("y")
        face.knob("y").evaluate("knob => knob.scrollIntoView({ block: 'center' })")
        scrolled = face.js("scrollY")
        box = face.knob("y").bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        face.swipe((x, y), (x, y - 20), (x, y - 40))
        until(lambda: panel.value("y") > before)
        assert face.js("scrollY") == scrolled
    finally:
        face.context.close()


def test_the_page_comes_back_by_itself_when_the_instrument_does(chromium, panel):
    server = PanelServer(panel.control, listen(0))
    face = Face(chromium, type("Other", (), {"server": server, "view": panel.view})())
    try:
        assert face.page.locator("#away").is_hidden()
        server.close()
        face.page.wait_for_selector("#away:not([hidden])")
        with PanelServer(panel.control, listen(server.port)):
            face.page.wait_for_selector("#away[hidden]", state="attached")
            assert face.page.locator("#message").inner_text() == "Connected again."
    finally:
        server.close()
        face.context.close()
