"""The explorer: its numbers are those of the commands, its page and its server are closed."""

import base64
import gzip
import http.client
import json
import re
import shlex
import socket
import threading
from contextlib import contextmanager
from urllib.parse import urlencode

import numpy as np
import pytest
from browsing import printed, too_wide, violations

import initlab
from initlab.errors import StorageError, UsageError
from initlab.pages.explore import NEEDS, Explored, explored
from initlab.pages.explore_server import ExplorerServer, answer
from initlab.pages.extra import require_extra
from initlab.pages.grid import DEEPEST, FAMILIES, WIDEST, Family, Grid, Measuring, Shape
from initlab.pages.lessons import LESSONS, Lesson
from initlab.pages.points import points, thousandths, three

MEASURING = Measuring(vectors=50, images=40, seeds=2, steps=30, tested=100, bins=12)
SCHEMES = (
    Family(name="zeros", schemes=("zeros",)),
    Family.of("normal", "std={}", "standard deviation", (0.01, 1), 0.01),
    Family.of("He", "he(scale={})", "n Var W", (0.5, 2, 8), 2),
    Family(name="auto", schemes=("auto",)),
)
SMALL = Grid(
    families=SCHEMES,
    activations=("tanh", "relu"),
    depths=(2, 5),
    widths=(10, 20),
    skips=(None, 2),
    measuring=MEASURING,
)
WHOLE = {"scheme": "he", "activation": "relu", "depth": 5, "width": 20, "skip": None}

pytestmark = pytest.mark.usefixtures("extra")


@pytest.fixture(scope="module")
def extra():
    pytest.importorskip("jinja2")


@pytest.fixture(scope="module")
def small(extra):  # noqa: ARG001
    return explored(SMALL)


@pytest.fixture(scope="module")
def small_page(small, tmp_path_factory):
    target = tmp_path_factory.mktemp("page") / "explore.html"
    target.write_text(small.page(), "utf-8")
    return target


def data_of(page):
    packed = re.search('id="data">([^<]*)<', page).group(1)
    return json.loads(gzip.decompress(base64.b64decode(packed)))


def point_of(small, *, scheme, **shape):
    column = small.columns[Shape(**shape)]
    return column[small.grid.schemes.index(scheme)]


def rounded(value):
    """As the page keeps numbers."""
    if isinstance(value, list):
        return list(map(rounded, value))
    return three(value) if isinstance(value, float) else value


SETTINGS = [
    WHOLE,
    {**WHOLE, "scheme": "he(scale=8)", "skip": 2},
    {**WHOLE, "scheme": "std=1", "width": 10},
    {**WHOLE, "scheme": "zeros", "depth": 2},
    {**WHOLE, "scheme": "auto", "activation": "tanh"},
    {**WHOLE, "scheme": "std=0.01", "activation": "tanh"},
]


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: "-".join(map(str, setting.values())))
def test_the_page_shows_what_the_commands_print(small, setting, initlab_here, tmp_path):
    point, skip = point_of(small, **setting), setting["skip"]
    options = {
        "skip_option": f" --skip {skip}" if skip else "",
        "skip_argument": f", skip={skip}" if skip else "",
    }
    page = data_of(small.page())
    lines = [
        re.sub(r"\{(\w+)\}", lambda name: str({**setting, **options}[name[1]]), c) for c in page["commands"]
    ]
    activations, gradients, diagnose, train = (shlex.split(line)[1:] for line in lines)

    for what, words in (("activations", activations), ("gradients", gradients)):
        done = initlab_here(*words, "-o", tmp_path / "figure.svg")
        assert done.returncode == 0, done.stderr
        layers = json.loads(done.stdout)["layers"]
        assert len(layers) == setting["depth"]
        for shown, layer in zip(point[what]["layers"], layers, strict=True):
            names = ("mean", "std", "predicted_mean", "predicted_std", "clipped")
            assert {name: shown[name] for name in names} == {name: rounded(layer[name]) for name in names}
            values = sum(layer["counts"]) + layer["below_range"] + layer["above_range"]
            assert shown["shares"] == thousandths(np.array(layer["counts"]) / values)
            shares = layer["predicted_shares"]
            assert shown["predicted"] == (None if shares is None else thousandths(np.array(shares)))
        assert [point[what][end] for end in ("low", "high")] == [
            rounded(layers[0][f"range_{end}"]) for end in ("low", "high")
        ]

    done = initlab_here(*diagnose)
    assert done.returncode == 0, done.stderr
    (said,) = json.loads(done.stdout)["networks"]
    assert [point[name] for name in ("verdict", "words")] == [said[name] for name in ("verdict", "words")]
    assert point["severity"] == rounded(said["severity"])
    for name, values in point["factors"].items():
        assert values == [rounded(layer[name]) for layer in said["layers"]], name
    assert (point["cure"] or {}).get("start") == (said["cure"] or {}).get("start")

    losses = eval(re.search(r"initlab\.train\(.*\)(?=\[0\])", train[1]).group())[0].losses
    every = -(-MEASURING.steps // 25)
    whole = len(losses) // every * every
    means = losses[:whole].reshape(-1, every).mean(axis=1, dtype=np.float64)
    assert point["training"]["losses"] == list(map(three, means))


def test_the_same_grid_gives_the_same_bytes_in_any_number_of_processes(tmp_path):
    grid = Grid(families=SCHEMES, activations=("relu",), depths=(2,), widths=(10,), measuring=MEASURING)
    done = []
    first = initlab.explore(tmp_path / "page.html", grid=grid, progress=lambda *pair: done.append(pair))
    assert (tmp_path / "page.html").read_text("utf-8") == first == initlab.explore(grid=grid, jobs=2)
    count = len(grid.schemes)
    assert done == [(count, 2 * count), (2 * count, 2 * count)]


def test_the_lessons_are_true():
    """Each with the numbers that the shipped page has, at a few settings alone."""
    told = {
        "Zeros": (["symmetric"], "does not train"),
        "Too large": (["exploding"], "does not train"),
        "Too small": (["vanishing"], "does not train"),
        "Xavier": (["healthy"], "trains"),
        "He": (["healthy"], "trains"),
        "The surprise": (["saturated"], "trains"),
    }
    grid = Grid()
    assert set(told) == {lesson.title for lesson in LESSONS}
    for lesson in LESSONS:
        assert lesson.shape in list(grid.shapes())
        (point,) = points([lesson.scheme], lesson.shape, grid.measuring)
        words, verdict = told[lesson.title]
        assert (point["words"][:1], point["verdict"]) == (words, verdict), lesson.title
        learns = (point["training"]["accuracy"] or 0) > 0.2
        assert learns == (verdict == "trains"), lesson.title
        if lesson.beside:
            (beside,) = points([lesson.beside], lesson.shape, grid.measuring)
            assert "vanishing" in beside["words"], lesson.title
            assert (beside["training"]["accuracy"] or 0) < point["training"]["accuracy"]


def test_the_grid_of_the_command_is_what_its_lessons_need():
    grid = Grid()
    assert {lesson.scheme for lesson in LESSONS} <= set(grid.schemes)
    assert len(set(grid.schemes)) == len(grid.schemes)
    for family in FAMILIES:
        assert family.usual < len(family.schemes)


def test_a_page_without_a_lesson_of_its_grid_leaves_it_out(small):
    page = small.page()
    assert [lesson.title for lesson in LESSONS if f">{lesson.title}</a>" in page] == []


def test_without_jinja_a_message_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "jinja2", None)
    with pytest.raises(UsageError, match=r"pip install 'initlab\[report\]'"):
        require_extra(*NEEDS)


def test_the_command_writes_the_page(tmp_path, monkeypatch, initlab_here, small):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("initlab.pages.explore.explored", lambda *_, **__: small)
    assert initlab_here("explore", "-o", "new/page.html").returncode == 0
    assert (tmp_path / "new/page.html").read_text("utf-8") == small.page()
    for words, code, message in (
        (["-o", "page.pdf"], 2, "--output page.pdf: the name must end in .html"),
        (["--port", "8000"], 2, "--port is the port of --serve"),
        (["-o", "new/page.html/page.html"], 5, "not a folder"),
    ):
        done = initlab_here("explore", *words)
        assert (done.returncode, message in done.stderr) == (code, True), done.stderr


def test_a_port_that_is_taken_is_told_before_the_page_is_computed(tmp_path, monkeypatch, initlab_here):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("initlab.pages.explore.explored", lambda *_, **__: pytest.fail("computed"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = initlab_here("explore", "--serve", "--port", str(port))
    assert (done.returncode, f"port {port} of 127.0.0.1" in done.stderr) == (5, True), done.stderr
    assert list(tmp_path.iterdir()) == []


# --- in a browser


def test_a_training_that_ends_otherwise_than_the_verdict_says_is_pointed_out(open_page, small, tmp_path):
    point = point_of(small, scheme="he", activation="relu", depth=5, width=20, skip=None)
    assert point["verdict"] == "trains"
    training, kept = point["training"], dict(point["training"])
    target = tmp_path / "explore.html"
    try:
        for accuracy, words in ((0.11, "went wrong"), (0.8, "")):
            training["accuracy"] = accuracy
            target.write_text(small.page(), "utf-8")
            outcome = ready(open_page, address(target)).locator("#outcome").text_content()
            assert words in outcome
            assert bool(outcome) == bool(words)
    finally:
        training.update(kept)


def test_a_lesson_draws_the_curve_of_the_scheme_that_it_names(open_page, small, tmp_path, monkeypatch):
    lesson = Lesson(
        title="He", sentence="He.", scheme="he", activation="relu", depth=5, width=20, beside="zeros"
    )
    monkeypatch.setattr("initlab.pages.explore.LESSONS", (lesson,))
    (tmp_path / "explore.html").write_text(small.page(), "utf-8")
    page = ready(open_page, address(tmp_path / "explore.html", scheme="zeros", activation="tanh"))
    page.locator(".lesson").click()
    page.wait_for_selector(".lesson[aria-current]")
    assert "Dashed: zeros, relu, 5 layers of 20." in page.locator("#curve-note").text_content()


def ready(open_page, target, **options):
    page = open_page(target, **options)
    page.wait_for_selector("html[data-ready]")
    return page


def address(target, **setting):
    chosen = {name: value for name, value in {**WHOLE, **setting}.items() if value is not None}
    return f"{target.as_uri()}#{urlencode(chosen)}"


def test_each_control_moves_by_keyboard_and_the_page_says_what_it_shows(open_page, small, small_page):
    page = ready(open_page, address(small_page))
    setting = dict(WHOLE)
    for control, key, change in (
        ("#scale", "ArrowRight", {"scheme": "he(scale=8)"}),
        ("#depth", "Home", {"depth": 2}),
        ("#width", "ArrowLeft", {"width": 10}),
        ("#activation", "ArrowUp", {"activation": "tanh"}),
        ("#skip", "ArrowDown", {"skip": 2}),
        ("#family", "Home", {"scheme": "zeros"}),
        ("#depth", "End", {"depth": 5}),
    ):
        page.focus(control)
        page.keyboard.press(key)
        setting |= change
        point = point_of(small, **setting)
        said = page.inner_text("#live")
        skip = f", skip {setting['skip']}" if setting["skip"] else ""
        network = (
            f"{setting['scheme']}, {setting['activation']}, {setting['depth']} layers of {setting['width']}"
        )
        assert said == f"{network}{skip}: {point['verdict']}, {', '.join(point['words'])}"
        assert page.locator("#histograms figure").count() == setting["depth"]
        figures = page.locator("#histograms svg").evaluate_all(
            "all => all.map(e => e.getAttribute('aria-label'))"
        )
        for figure, layer in zip(figures, point["activations"]["layers"], strict=True):
            assert float(re.search(r"std ([-.e\d]+)", figure).group(1)) == pytest.approx(layer["std"])
    assert page.inner_text("#verdict-word") == "does not train"


def test_the_address_holds_the_setting_and_ignores_what_the_grid_has_not(open_page, small_page):
    page = ready(open_page, address(small_page, scheme="std=1", activation="tanh", skip=2))
    assert page.inner_text("#live").startswith("std=1, tanh, 5 layers of 20, skip 2:")
    page.select_option("#skip", "0")
    assert page.evaluate("location.hash") == "#scheme=std%3D1&activation=tanh&depth=5&width=20"
    page.goto(address(small_page, scheme="<img src=x onerror=alert(1)>", depth=10**9, skip="constructor"))
    page.reload()
    page.wait_for_selector("html[data-ready]")
    assert page.inner_text("#live").startswith("he, relu, 5 layers of 20:")


def test_the_cure_is_a_button_away(open_page, small, small_page):
    page = ready(open_page, address(small_page, scheme="std=0.01"))
    assert point_of(small, **{**WHOLE, "scheme": "std=0.01"})["cure"]["start"] == "auto"
    page.focus("#cure")
    page.keyboard.press("Enter")
    assert page.inner_text("#live").startswith("auto, relu, 5 layers of 20: trains")
    assert page.locator("#cure").is_hidden()


def test_play_draws_the_curve_and_says_its_end(open_page, small, small_page):
    page = ready(open_page, address(small_page))
    page.focus("#play")
    page.keyboard.press("Enter")
    assert page.inner_text("#play-words") == "training ..."
    page.locator("#play-words", has_text="after").wait_for()
    loss = float(re.search("the loss is ([.0-9]+)", page.inner_text("#play-words")).group(1))
    training = point_of(small, **WHOLE)["training"]
    assert loss == training["losses"][-1]
    drawn = page.get_attribute("#curve .line", "d")
    assert len(re.findall("[ML]", drawn)) == len(training["losses"])


def test_play_does_not_move_for_those_who_ask_for_it(open_page, small_page):
    page = ready(open_page, address(small_page), reduced_motion="reduce")
    page.click("#play")
    assert page.inner_text("#play-words").startswith("after")


def test_a_divergence_is_drawn_and_said(open_page, small_page):
    page = ready(open_page, address(small_page, scheme="std=1"))
    assert page.inner_text("#play-words").startswith("diverged at step")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 1300])
def test_the_page_fits_and_is_accessible(open_page, small_page, width, dark):
    page = ready(open_page, address(small_page, scheme="std=0.01", activation="tanh"), width=width, dark=dark)
    page.click("summary")
    assert too_wide(page) == 0
    assert violations(page) == []


def test_the_page_prints(open_page, small_page):
    page = ready(open_page, address(small_page))
    pages, cut = printed(page)
    assert 1 < pages < 8
    assert cut == []


def test_without_scripts_the_page_says_so(open_page, small_page):
    page = open_page(small_page, script=False)
    assert "The sliders need a script" in page.inner_text("body")
    assert page.locator("#explorer").is_hidden()


# --- the server


@contextmanager
def serving(small):
    with ExplorerServer(small.page(server=True), MEASURING) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def server(small):
    with serving(small) as server:
        yield server


def asked(server, path, method="GET", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=30)
    connection.request(method, path, headers=headers)
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, text


def test_the_server_computes_what_the_grid_has_not(server):
    setting = {"scheme": "he(scale=3)", "activation": "gelu", "depth": 3, "width": 12, "skip": "none"}
    status, text = asked(server, f"/{server.token}/point?{urlencode(setting)}")
    assert status == 200
    shape = Shape(activation="gelu", depth=3, width=12, skip=None)
    (point,) = points(["he(scale=3)"], shape, MEASURING)
    assert json.loads(text) == {"setting": {**setting, "skip": None}, "point": json.loads(json.dumps(point))}


def test_the_server_answers_no_stranger(server):
    path = f"/{server.token}/"
    assert server.server_address[0] == "127.0.0.1"
    assert asked(server, path)[0] == 200
    assert asked(server, path, Host=f"localhost:{server.server_port}")[0] == 200
    for host in ("evil.example", f"evil.example:{server.server_port}", "127.0.0.1", ""):
        assert asked(server, path, Host=host)[0] == 403
    for wrong in ("/", "/point", f"/{server.token}x/", f"/{server.token}", f"/{server.token}/../x", "//"):
        assert asked(server, wrong)[0] == 404
    assert asked(server, f"/{server.token}/{'x' * 600}")[0] == 414
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "HEAD"):
        assert asked(server, path, method)[0] == 501


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scheme": "./mine.py:f"}, "which this server does not run"),
        ({"activation": "./mine.py:f"}, "which this server does not run"),
        ({"scheme": "hee"}, "did you mean 'he'?"),
        ({"scheme": "pretrained_rbm"}, "takes too long"),
        ({"scheme": ""}, ""),
        ({"activation": "rlu"}, "did you mean 'relu'?"),
        ({"depth": "1"}, f"depth must be a whole number from 2 to {DEEPEST}, not '1'"),
        ({"depth": "١٢"}, "depth must be a whole number"),
        ({"depth": "9" * 99}, "depth must be a whole number"),
        ({"width": "1e3"}, f"width must be a whole number from 1 to {WIDEST}"),
        ({"width": WIDEST, "depth": DEEPEST}, "depth x width is at most"),
        ({"skip": "-1"}, "skip must be a whole number"),
    ],
)
def test_the_server_refuses_in_words(server, change, message):
    setting = {"scheme": "he", "activation": "relu", "depth": "3", "width": "10", "skip": "none", **change}
    status, text = asked(server, f"/{server.token}/point?{urlencode(setting)}")
    assert status == 200  # of any other, the browser complains in its console
    assert message in json.loads(text)["error"]


def test_own_code_is_not_even_read(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text("raise SystemExit('it ran')")
    monkeypatch.chdir(tmp_path)
    for text in ("./mine.py:f", " ./mine.py:f(a=2)", "mine.py:f", str(tmp_path / "mine.py:f")):
        with pytest.raises(UsageError, match=r"does not run|unknown scheme"):
            answer({"scheme": text, "depth": "2", "width": "5"}, MEASURING)


def test_a_port_that_is_taken_is_told(server):
    with pytest.raises(StorageError, match=rf"port {server.server_port} of 127\.0\.0\.1"):
        ExplorerServer("", MEASURING, server.server_port)


def test_the_page_asks_its_server_and_shows_the_answer(open_page, server):
    page = ready(open_page, server.address, server=server.address)
    page.fill("#free-scheme", "he(scale=3)")
    page.fill("#free-depth", "4")
    page.fill("#free-width", "15")
    page.keyboard.press("Enter")
    page.locator("#live", has_text="he(scale=3), relu, 4 layers of 15").wait_for(state="attached")
    assert page.locator("#histograms figure").count() == 4
    assert "--init 'he(scale=3)' --activation relu --depth 4 --width 15" in page.inner_text("#commands")
    page.fill("#free-scheme", "./mine.py:f")
    page.keyboard.press("Enter")
    page.locator("#free-state", has_text="does not run").wait_for()
    page.select_option("#activation", "tanh")
    assert page.inner_text("#live").startswith("he, tanh, 5 layers of 20")


def test_the_file_asks_no_server(small):
    assert isinstance(small, Explored)
    assert "connect-src" not in small.page()
    assert "connect-src 'self'" in small.page(server=True)
    assert 'id="free"' not in small.page()
