"""What is played on the page beside knobs and buttons: the maps, the grid, scenes, morph and song."""

import pytest
from simulator_kit import Face, say, until

pytestmark = pytest.mark.browser


def at(face, *names):
    return [pytest.approx(face.panel.value(name), abs=0.02) for name in names]


def hits(face):
    """The cells that the page shows as played: {(voice, step)}."""
    return {
        tuple(cell)
        for cell in face.js(
            "latido.grid.table.voices.flatMap((_, v) => "
            "Array.from({ length: 32 }, (_, s) => [v, s]).filter(([v, s]) => latido.grid.plays(v, s)))"
        )
    }


def undo(face):
    depth = face.panel.view.undo_depth
    face.page.keyboard.press("Control+z")
    until(lambda: face.panel.view.undo_depth < depth)


# ---- the rhythm map


def test_the_dot_is_x_and_y_at_once(face):
    face.stroke(face.within("#map", 0.2, 0.3), face.within("#map", 0.5, 0.5), face.within("#map", 0.75, 0.875))
    until(lambda: [0.75, 0.875] == at(face, "x", "y"))
    until(lambda: face.knob("x").get_attribute("aria-valuenow") == str(round(100 * face.panel.value("x"))))
    left = face.js("document.querySelector('#map .dot').style.left")
    assert float(left[:-1]) == pytest.approx(75, abs=2)


def test_taking_the_dot_itself_never_makes_it_jump(face):
    face.page.mouse.click(*face.within("#map", 0.5, 0.5))
    until(lambda: [0.5, 0.5] == at(face, "x", "y"))
    x, y = face.panel.value("x"), face.panel.value("y")
    px, py = face.within("#map", x, y)
    face.page.mouse.move(px + 8, py - 7)
    face.page.mouse.down()
    face.page.wait_for_timeout(100)
    assert (face.panel.value("x"), face.panel.value("y")) == (x, y)
    face.page.mouse.move(px + 38, py - 7)
    face.page.mouse.up()
    width = face.page.locator("#map").bounding_box()["width"]
    until(lambda: face.panel.value("x") == pytest.approx(x + 30 / width, abs=0.004))
    assert face.panel.value("y") == pytest.approx(y, abs=0.004)


def test_arrow_keys_walk_the_map_and_delete_goes_home(face):
    dot = face.page.locator("#map .dot")
    dot.focus()
    x, y = face.panel.value("x"), face.panel.value("y")
    face.page.keyboard.press("ArrowRight")
    face.page.keyboard.press("ArrowUp")
    until(lambda: [x + 0.02, y + 0.02] == [pytest.approx(face.panel.value(name), abs=1e-3) for name in "xy"])
    face.page.keyboard.press("Home")
    face.page.keyboard.press("PageUp")
    until(lambda: face.panel.value("x") == 0.0)
    face.page.keyboard.press("Delete")
    until(lambda: [0.5, 0.5] == at(face, "x", "y"))
    until(lambda: "X 50 %, Y 50 %" in dot.get_attribute("aria-valuetext"))


def test_the_map_is_coloured_by_styles_and_says_which_under_the_pointer(face):
    colours = """(() => { const c = document.querySelector('#map canvas'), d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
        return new Set(Array.from({ length: 400 }, (_, i) => { const p = 4 * Math.floor(i * d.length / 1604); return `${d[p] >> 4},${d[p + 1] >> 4},${d[p + 2] >> 4}` })).size })()"""
    assert face.js(colours) > 12
    face.page.mouse.move(*face.within("#map", 0.05, 0.95))
    legend = face.page.locator("#map .legend")
    until(legend.is_visible)
    told = legend.inner_text()
    face.page.mouse.move(*face.within("#map", 0.9, 0.1))
    until(lambda: legend.inner_text() != told)
    face.page.mouse.move(2, 2)
    until(legend.is_hidden)


def test_styles_are_evenly_far_apart_in_either_dress(face):
    apart = face.js("""(() => { const { side, styles } = latido.map; const lab = (c) => c.map((v) => v);
        return ['dark', 'light'].map((theme) => { latido.map.dress(theme);
            const one = styles.map((_, i) => latido.map.color(styles.map((_, j) => Number(i === j))));
            const steps = one.map((c, i) => Math.hypot(...c.map((v, k) => v - one[(i + 1) % one.length][k])));
            return [Math.min(...steps), Math.max(...steps)]; }) })()""")
    face.js("latido.map.dress(latido.theme())")
    for least, most in apart:
        assert least > 5
        assert most < 8 * least


def test_the_way_of_the_sound_is_drawn_and_fades(face):
    for place in ((0.2, 0.2), (0.4, 0.6), (0.7, 0.3)):
        face.page.mouse.click(*face.within("#map", *place))
        face.page.wait_for_timeout(150)
    until(lambda: face.js("latido.map.trail.length") >= 2)
    face.js("latido.map.trail.forEach((point) => (point.at -= 60000))")
    until(lambda: face.js("latido.map.trail.length") <= 1)


# ---- the sound map


def test_the_sound_map_is_tone_x_and_tone_y_of_the_chosen_voice(face):
    face.page.locator(".voice .pick").nth(1).click()
    until(lambda: face.panel.view.voice == 1)
    face.page.mouse.click(*face.within("#tone", 0.25, 0.75))
    until(lambda: [0.25, 0.75] == at(face, "tone_x", "tone_y"))
    dot = face.page.locator("#tone .dot")
    dot.focus()
    face.page.keyboard.press("ArrowLeft")
    until(lambda: face.panel.value("tone_x") < 0.25)
    face.page.keyboard.press("Delete")  # back to the kit's place
    kit = face.js("latido.tone.kit")
    until(lambda: kit == at(face, "tone_x", "tone_y"))
    face.page.locator(".voice .pick").first.click()
    until(lambda: face.panel.view.voice == 0)


def test_the_newest_sound_is_seen(face):
    until(lambda: face.panel.view.wave)
    until(lambda: face.js("latido.wave.peaks.length") == 128)
    painted = """(() => { const c = document.getElementById('wave');
        return c.getContext('2d').getImageData(0, 0, c.width, c.height).data.filter((v, i) => i % 4 === 3 && v > 0).length })()"""
    until(lambda: face.js(painted) > 200)
    before = face.js("String(latido.wave.peaks)")
    face.page.mouse.click(*face.within("#tone", 0.9, 0.1))
    until(lambda: face.js("String(latido.wave.peaks)") != before)
    undo(face)


# ---- the grid


@pytest.fixture
def own_beat(face):
    """A row that nobody plays: mid tom, emptied."""
    if not face.panel.view.playing:
        face.page.keyboard.press("Space")
        until(lambda: face.panel.view.playing)
    until(lambda: hits(face))
    for voice, step in sorted(hits(face)):
        if voice == 5:
            face.page.mouse.click(*face.cell(voice, step))
    until(lambda: not any(voice == 5 for voice, _ in hits(face)))
    face.page.wait_for_timeout(700)
    return 5


def test_a_click_sets_a_step_and_another_clears_it(face, own_beat):
    face.page.mouse.click(*face.cell(own_beat, 3))
    until(lambda: face.panel.view.pattern.levels[3, own_beat] >= 0.5)
    assert (own_beat, 3) in hits(face)
    until(lambda: face.panel.view.edited)
    until(lambda: face.page.locator("#yours").inner_text().startswith("Your beat"))
    face.page.mouse.click(*face.cell(own_beat, 3))
    until(lambda: face.panel.view.pattern.levels[3, own_beat] < 0.5)
    assert (own_beat, 3) not in hits(face)


def test_a_step_that_was_set_is_taken_back_by_undo(face, own_beat):
    face.page.mouse.click(*face.cell(own_beat, 7))
    until(lambda: face.panel.view.pattern.levels[7, own_beat] >= 0.5)
    face.page.locator("#undo").click()
    until(lambda: face.panel.view.pattern.levels[7, own_beat] < 0.5)
    face.page.wait_for_timeout(700)
    assert (own_beat, 7) not in hits(face)


def test_a_stroke_paints_and_another_wipes(face, own_beat):
    face.stroke(face.cell(own_beat, 8), face.cell(own_beat, 10), face.cell(own_beat, 13))
    painted = {(own_beat, step) for step in range(8, 14)}
    until(lambda: {cell for cell in hits(face) if cell[0] == own_beat} == painted)
    until(lambda: face.panel.view.pattern.levels[8:14, own_beat].min() >= 0.5)
    face.stroke(face.cell(own_beat, 13), face.cell(own_beat, 8))
    until(lambda: not (face.panel.view.pattern.levels[8:14, own_beat] >= 0.5).any())


def test_a_hit_drawn_up_or_down_is_louder_or_softer(face, own_beat):
    face.page.mouse.click(*face.cell(own_beat, 20))
    until(lambda: face.panel.view.pattern.levels[20, own_beat] >= 0.5)
    x, y = face.cell(own_beat, 20)
    depth = face.panel.view.undo_depth
    face.stroke((x, y), (x, y + 15), (x, y + 45))
    until(lambda: face.panel.view.pattern.velocities[20, own_beat] == pytest.approx(0.3, abs=0.05))
    assert face.panel.view.undo_depth == depth + 1  # one stroke, one undo
    assert (own_beat, 20) in hits(face)
    face.stroke((x, y), (x, y - 30), (x, y - 200))
    until(lambda: face.panel.view.pattern.velocities[20, own_beat] == 1.0)
    face.page.mouse.click(x, y)
    until(lambda: face.panel.view.pattern.levels[20, own_beat] < 0.5)


def test_steps_are_set_from_the_keyboard(face, own_beat):
    face.page.mouse.click(*face.cell(own_beat, 0))
    cursor = face.page.locator("#grid .cursor")
    assert face.js("document.activeElement.className") == "cursor"
    face.page.keyboard.press("ArrowRight")
    assert cursor.get_attribute("aria-label") == "Mid tom, step 2"
    face.page.keyboard.press("Enter")
    until(lambda: face.panel.view.pattern.levels[1, own_beat] >= 0.5)
    until(lambda: cursor.get_attribute("aria-checked") == "true")
    face.page.keyboard.press("PageDown")
    until(lambda: face.panel.view.pattern.velocities[1, own_beat] == pytest.approx(0.7, abs=0.01))
    playing = face.panel.view.playing
    face.page.keyboard.press("Space")
    until(lambda: face.panel.view.pattern.levels[1, own_beat] < 0.5)
    assert face.panel.view.playing == playing
    face.page.mouse.click(*face.cell(own_beat, 0))


def test_a_finger_sets_steps_in_one_bar_on_a_phone(chromium, panel):
    face = Face(chromium, panel, viewport={"width": 390, "height": 844}, has_touch=True)
    try:
        face.page.locator("#bars button").nth(2).click()
        until(lambda: face.js("latido.grid.bar") == 1)
        until(lambda: hits(face))
        level = panel.view.pattern.levels[21, 6]
        on = (6, 21) in hits(face)
        face.swipe(face.cell(6, 21))
        until(lambda: ((6, 21) in hits(face)) != on)
        until(lambda: panel.view.pattern.levels[21, 6] != level)
        face.swipe(face.cell(6, 21))
        until(lambda: ((6, 21) in hits(face)) == on)
        face.page.wait_for_timeout(700)
        if on:
            face.swipe(face.cell(6, 21))
            until(lambda: (6, 21) not in hits(face))
        x, y = face.cell(6, 21)
        face.swipe((x, y), (x, y - 20), (x, y - 40), (x, y - 90))  # over an empty cell a finger scrolls
        until(lambda: face.js("scrollY") > 0)
        face.page.wait_for_timeout(1500)  # until it has come to rest
        assert (6, 21) not in hits(face)
        scrolled = face.js("scrollY")
        face.swipe(face.cell(6, 21))
        until(lambda: panel.view.pattern.levels[21, 6] >= 0.5)
        face.page.wait_for_timeout(700)
        x, y = face.cell(6, 21)
        face.swipe((x, y), (x, y + 10), (x, y + 30))  # and on a hit it makes it softer
        until(lambda: panel.view.pattern.velocities[21, 6] < 0.6)
        assert face.js("scrollY") == scrolled
        face.swipe(face.cell(6, 21))
        until(lambda: panel.view.pattern.levels[21, 6] < 0.5)
        assert face.complaints == []
    finally:
        face.context.close()


# ---- scenes, morph, song


def scene(face, number):
    return face.page.locator("#scenes .scene").nth(number - 1)


def kind(face, number):
    return scene(face, number).get_attribute("data-kind")


def hold(face, locator, milliseconds=800):
    box = locator.bounding_box()
    face.page.mouse.move(box["x"] + 10, box["y"] + 10)
    face.page.mouse.down()
    face.page.wait_for_timeout(milliseconds)
    face.page.mouse.up()


def test_a_scene_is_saved_by_holding_or_with_shift_and_recalled_by_a_press(face):
    face.page.mouse.click(*face.within("#map", 0.1, 0.9))
    until(lambda: face.panel.value("x") < 0.2)
    hold(face, scene(face, 3))
    until(lambda: face.panel.view.scenes_saved[2])
    until(lambda: kind(face, 3) == "playing")
    face.page.mouse.click(*face.within("#map", 0.9, 0.1))
    until(lambda: face.panel.value("x") > 0.8)
    face.page.keyboard.down("Shift")
    face.page.wait_for_timeout(150)
    scene(face, 4).click()
    face.page.keyboard.up("Shift")  # so soon it would be a tap
    until(lambda: kind(face, 4) == "playing")
    assert kind(face, 3) == "saved"
    scene(face, 3).click()
    until(lambda: face.panel.view.scene == 2)
    until(lambda: kind(face, 3) == "playing")
    until(lambda: face.panel.value("x") < 0.2)
    until(lambda: face.panel.view.page == "play")
    face.page.wait_for_timeout(600)
    assert face.panel.view.page == "play"  # SHIFT was no tap


def test_an_empty_scene_says_how_to_fill_it_and_delete_empties_one(face):
    scene(face, 16).click()
    until(lambda: "Scene 16 is empty: hold it" in face.page.locator("#message").inner_text())
    hold(face, scene(face, 15))
    until(lambda: kind(face, 15) == "playing")
    scene(face, 15).focus()
    face.page.keyboard.press("Delete")
    until(lambda: kind(face, 15) == "empty")


def test_a_scene_says_when_it_will_come(face):
    for number in (3, 4):
        if kind(face, number) == "empty":
            hold(face, scene(face, number))
            until(lambda number=number: kind(face, number) != "empty")
    if not face.panel.view.playing:
        face.page.keyboard.press("Space")
        until(lambda: face.panel.view.playing)
    other = 3 if face.panel.view.scene == 3 else 4
    scene(face, other).click()
    assert kind(face, other) in ("next", "playing")
    until(lambda: kind(face, other) == "playing")


def test_the_morph_goes_from_a_to_b(face):
    face.page.mouse.click(*face.within("#map", 0.1, 0.1))
    until(lambda: face.panel.value("x") < 0.15)
    face.page.locator("#keep-a").click()
    until(lambda: face.panel.view.kept_a)
    face.page.mouse.click(*face.within("#map", 0.9, 0.9))
    until(lambda: face.panel.value("x") > 0.85)
    face.page.locator("#keep-b").click()
    until(lambda: face.panel.view.kept_b)
    morph = face.page.locator("#morph")
    until(morph.is_enabled)
    morph.focus()
    face.page.keyboard.press("End")
    until(lambda: face.panel.value("morph") == 1.0)
    face.page.keyboard.press("Home")
    until(lambda: face.panel.value("morph") == 0.0)
    until(lambda: face.panel.view.place[0] == pytest.approx(0.1, abs=0.05))


def test_corners_of_the_map_are_scenes(face):
    if kind(face, 3) == "empty":
        hold(face, scene(face, 3))
    face.page.locator("#map-corners").click()
    until(lambda: face.panel.view.map_kind == "corners")
    until(face.page.get_by_label("Corner top left").is_visible)
    face.page.get_by_label("Corner top left").select_option(value="2")
    until(lambda: face.panel.view.corners[2] == 2)
    face.page.get_by_label("Corner top left").select_option(value="")
    until(lambda: face.panel.view.corners[2] is None)
    face.page.locator("#map-learned").click()
    until(lambda: face.panel.view.map_kind == "learned")
    until(face.page.get_by_label("Corner top left").is_hidden)


def test_a_song_is_a_chain_of_scenes(face):
    if not face.panel.view.scenes_saved[face.panel.view.scene]:
        hold(face, scene(face, 3))
        until(lambda: kind(face, 3) == "playing")
    number = face.panel.view.scene
    face.page.locator("#add-song").click()
    until(lambda: face.panel.view.song == ((number, 2),))
    face.page.locator("#add-song").click()
    until(lambda: len(face.panel.view.song) == 2)
    face.page.locator("#chain .link").first.click()
    until(lambda: face.panel.view.song[0] == (number, 4))
    face.page.locator("#play-song").click()
    until(lambda: face.panel.view.song_at == 0)
    until(lambda: face.page.locator("#play-song").get_attribute("aria-pressed") == "true")
    face.page.locator("#play-song").click()
    until(lambda: face.panel.view.song_at == -1)
    for _ in range(2):
        count = len(face.panel.view.song)
        until(lambda count=count: face.page.locator("#chain .link").count() == count)
        face.page.locator("#chain .link").first.focus()
        face.page.keyboard.press("Delete")
        until(lambda count=count: len(face.panel.view.song) == count - 1)


# ---- knobs of a box


def test_a_knob_shows_where_the_hand_on_the_box_stands_until_it_has_caught_up(face):
    face.show("play")
    ghost = face.knob("density").locator(".ghost")
    with face.panel.page() as box:
        say(box, type="set", name="density", position=0.25)
        until(lambda: face.panel.value("density") == 0.25)
        say(box, type="knob", number=4, position=0.75)  # where the knob stands is seen, and it is elsewhere
        until(lambda: face.panel.view.taking_over[3])
        until(lambda: ghost.get_attribute("d"))
        assert face.panel.value("density") == 0.25
        for step in range(74, -1, -1):
            say(box, type="knob", number=4, position=step / 100)
        until(lambda: not face.panel.view.taking_over[3])
        until(lambda: ghost.get_attribute("d") is None)
        assert face.panel.value("density") == pytest.approx(0.0, abs=0.01)
        say(box, type="set", name="density", position=0.5)
        until(lambda: face.panel.value("density") == 0.5)


def test_m_on_a_knob_waits_for_a_midi_controller(face):
    face.show("play")
    face.knob("chaos").focus()
    face.page.keyboard.press("m")
    until(lambda: face.panel.view.cc_learn == "chaos")
    until(lambda: "learning" in face.knob("chaos").get_attribute("class"))
    face.page.keyboard.press("m")
    until(lambda: face.panel.view.cc_learn == "")
    until(lambda: "learning" not in face.knob("chaos").get_attribute("class"))


# ---- files


def test_files_are_saved_by_the_browser(face):
    for kind, ending in (("midi", ".mid"), ("wav", ".wav")):
        with face.page.expect_download() as download:
            face.page.locator(f"#take-{kind}").click()
        assert download.value.suggested_filename.endswith(ending)


def test_recording_is_seen_and_ends_when_told(face):
    record = face.page.locator("#record")
    record.click()
    until(lambda: face.panel.view.recording)
    until(lambda: record.get_attribute("aria-pressed") == "true")
    assert record.inner_text() == "Stop recording"
    record.click()
    until(lambda: face.panel.view.recording == "")
    until(lambda: record.get_attribute("aria-pressed") == "false")
    until(lambda: "recorded" in face.page.locator("#message").inner_text())


def test_the_little_screen_is_shown_under_more(face):
    face.page.locator("#more-toggle").click()
    until(lambda: face.js("document.getElementById('screen').naturalWidth") == 128)
    face.page.locator("#more-toggle").click()
