"""The report as a reader opens it: one file that asks nothing of a network, and runs nobody's text."""

import json
import re

import numpy as np
import pytest
from browsing import HOSTILE, Page, printed, too_wide, violations, wait_until

import initlab
from initlab.errors import UsageError
from initlab.pages import report as pages
from initlab.pages.charts import MOST_POINTS, loss_chart, thinned
from initlab.runner.config import load_experiment
from initlab.runner.sweep import Choice, run_experiment
from initlab.training.history import Condition, History


@pytest.fixture
def extra():
    pytest.importorskip("jinja2")
    pytest.importorskip("vl_convert")


@pytest.fixture
def report(extra):  # noqa: ARG001
    return pages.report


def trained(tmp_path, config, *overrides):
    experiment = load_experiment(config, overrides)
    return run_experiment(experiment, tmp_path / "results", Choice(jobs=0))


def test_the_same_records_give_the_same_bytes(tmp_path, small_config, report):
    results = trained(tmp_path, small_config, "train.track_every=20", "name=small")
    first = report(results, tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text("utf-8") == first == report(tmp_path / "results/small")


def test_the_page_holds_tables_charts_config_and_origin(tmp_path, small_config, report):
    page = Page(report(trained(tmp_path, small_config, "train.track_every=20", "name=small")))
    for part in (
        "6 networks: weights from he, std=0.01 and huge; 2 seeds. Hidden layers: 8x2; activation: relu.",
        "Data: small; steps: 100; batch size: 16; optimizer: sgd; learning rate: 0.1.",
        "4 finished, 2 diverged.",
        "2 of 2, at step",
        "does not train",
        "Layers through training",
        "Diagnosis before training",
        "batch_size: 16",
        "initlab run small.yaml",
    ):
        assert part in page.text
    titles = [
        "Overview",
        "Results",
        "Numbers of each condition",
        "Runs",
        "Points of the chart: Training loss",
    ]
    assert [title for title in (*titles, "Tracked layers", "Origin") if title not in page.text] == []
    assert len(page.all("table")) >= 6
    assert len(page.all("img")) == 4  # each chart as a picture too, and the histograms
    assert all(image["alt"] for image in page.all("img"))


def test_the_name_of_the_machine_is_not_told(tmp_path, small_config, report, monkeypatch):
    monkeypatch.setattr("platform.node", lambda: "secret-machine")
    results = trained(tmp_path, small_config)
    assert "secret-machine" in str(results.store.sessions())
    assert "secret-machine" not in report(results)


def test_texts_of_a_person_are_inert(tmp_path, small_config, report):
    config = small_config.read_text().replace(
        '[he, std=0.01, {scheme: "normal(std=1e6)", label: huge}]', "[he]"
    )
    small_config.write_text(config)
    results = trained(tmp_path, small_config)
    (group,) = results.groups
    renamed = [
        type(group)(condition=relabelled(group.condition, text), runs=1, failed=()) for text in HOSTILE
    ]
    object.__setattr__(results, "groups", renamed)
    results.experiment.description = HOSTILE[0]
    text = report(results)
    page = Page(text)
    assert len(page.all("script")) == 3
    assert not [a for _, attributes in page.elements for a in attributes if a.startswith("on")]
    assert not [a for a in page.all("a") if not a["href"].startswith("#")]
    assert "\u202e" not in text
    shown = [HOSTILE[0], HOSTILE[1], HOSTILE[2], r"\u202e{{ 7*7 }} {% x %}", HOSTILE[4]]
    assert [words for words in shown if words not in page.text] == []


def test_a_browser_runs_no_text_of_a_person(tmp_path, small_config, report, open_page):
    labels = [text for text in HOSTILE if text.isprintable()]  # a config refuses the other
    pairs = zip(["he", "xavier", "lecun", "std=0.01"], map(json.dumps, labels), strict=True)
    rows = ", ".join(f"{{scheme: {scheme}, label: {label}}}" for scheme, label in pairs)
    config = small_config.read_text().replace(
        '[he, std=0.01, {scheme: "normal(std=1e6)", label: huge}]', f"[{rows}]"
    )
    description = "name: small\ndescription: <b onclick=alert(1)>&lt;"
    small_config.write_text(config.replace("name: small", description))
    report(trained(tmp_path, small_config), tmp_path / "page.html")
    page = open_page(tmp_path / "page.html")
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    page.locator(".drawn").first.wait_for()
    page.mouse.move(500, 500)
    assert page.get_by_text("<b onclick=alert(1)>&lt;", exact=True).count() == 1
    assert page.locator("figure.chart").first.locator(".legend span").all_text_contents() == labels


def relabelled(condition, label):
    return Condition(label=label, scheme=condition.scheme, histories=condition.histories)


def test_nothing_is_asked_of_a_network(tmp_path, small_config, report):
    page = Page(report(trained(tmp_path, small_config)))
    (policy,) = [meta["content"] for meta in page.all("meta") if "http-equiv" in meta]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-eval" not in policy
    addresses = [a[key] for _, a in page.elements for key in ("src", "href", "data", "action") if key in a]
    assert not [
        address for address in addresses if not address.startswith(("data:image/svg+xml;base64,", "#"))
    ]


@pytest.mark.usefixtures("extra")
def test_long_curves_are_thinned_and_the_page_tells_it():
    losses = 1 + np.sin(np.arange(2345)) / 9
    losses[1234] = 7.0
    histories = tuple(History(losses=losses * k, seed=k) for k in (1, 2))
    chart = loss_chart([Condition(label="he", scheme="he", histories=histories)])
    (curve,) = chart.views[0].curves
    assert len(curve["step"]) <= MOST_POINTS
    assert max(curve["high"]) == pytest.approx(2 * histories[0].smoothed().max(), rel=1e-5)
    assert any("a point stands for up to 5 steps" in note for note in chart.notes)


def test_thinning_keeps_short_curves_as_they_are():
    values = np.random.default_rng(0).random((3, 400))
    curve = thinned(np.arange(400), *values, 500)
    assert np.array_equal([curve[name] for name in ("mean", "low", "high")], values)


@pytest.mark.usefixtures("extra")
def test_many_conditions_stay_a_page_that_loads():
    histories = [History(losses=np.linspace(2, 1, 2000), seed=seed) for seed in range(5)]
    conditions = [Condition(label=f"c{i}", scheme="he", histories=tuple(histories)) for i in range(400)]
    chart = loss_chart(conditions)
    assert sum(len(curve["step"]) for curve in chart.views[0].curves) <= 20_000


def test_several_experiments_stand_side_by_side(tmp_path, small_config, report):
    first = trained(tmp_path, small_config)
    second = trained(tmp_path, small_config, "name=fast", "train.optimizer.lr=0.3")
    page = Page(report([first, second]))
    for part in ("small and fast", "Side by side", "train.optimizer.lr", "fast: he"):
        assert part in page.text
    assert {"#section-1", "#section-2", "#section-3"} <= {a["href"] for a in page.all("a")}


@pytest.mark.usefixtures("extra")
def test_a_notebook_shows_the_report_of_a_training(open_page, tmp_path):
    x, y = np.random.default_rng(0).standard_normal((100, 3)), np.arange(100) % 2
    page = initlab.train(["he", "xavier"], (x, y), steps=30, hidden="8x2").report()
    assert len(repr(page)) < 80
    for part in ("xavier", "Training loss", "Networks"):
        assert part in Page(page).text
    (tmp_path / "cell.html").write_text(f"<meta charset=utf-8>{page._repr_html_()}")
    notebook = open_page(tmp_path / "cell.html")
    notebook.frame_locator("iframe").locator(".drawn .plot svg").first.wait_for()


def test_results_have_a_report(tmp_path, small_config, report):
    results = trained(tmp_path, small_config, "name=small")
    assert results.report(tmp_path / "page.html") == report(results)
    assert (tmp_path / "page.html").stat().st_size > 1e6


def test_networks_that_all_diverge_have_a_page(tmp_path, small_config, report):
    results = trained(tmp_path, small_config, "sweep.init=['normal(std=1e6)']", "name=small")
    page = Page(report(results))
    assert "2 diverged." in page.text
    assert len(page.all("figure")) == 1  # the histograms; no curve is left to draw


def test_a_network_that_cannot_be_diagnosed_is_told(tmp_path, small_config, report, monkeypatch):
    def refuse(*_):
        raise UsageError("no such luck")

    monkeypatch.setattr("initlab.runner.cases.Case.diagnosis", refuse)
    assert "he: no such luck." in Page(report(trained(tmp_path, small_config))).text


def test_without_the_extra_a_message_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "vl_convert", None)
    with pytest.raises(UsageError, match=r"pip install 'initlab\[report\]'"):
        pages.report("results/anything")


@pytest.mark.usefixtures("extra")
def test_the_command_writes_the_page(tmp_path, small_config, initlab_here, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trained(tmp_path, small_config)
    for words in (["results/small"], ["small"], ["small", "-o", "new/page.html"]):
        assert initlab_here("report", *words).returncode == 0
    pages = [(tmp_path / name).read_bytes() for name in ("results/small/report.html", "new/page.html")]
    assert pages[0] == pages[1]
    monkeypatch.chdir("results")
    assert initlab_here("report", "./small", "-o", "here.html").returncode == 0
    monkeypatch.chdir(tmp_path)
    for words, code, message in (
        (["smal"], 2, "did you mean 'small'?"),
        (["results/smal"], 2, "did you mean 'small'?"),
        (["nowhere/small"], 5, "no such folder of results"),
        (["small", "-o", "page.pdf"], 2, "--output page.pdf: the name must end in .html"),
        (["small", "-o", str(small_config / "page.html")], 5, "not a folder"),
    ):
        done = initlab_here("report", *words)
        assert (done.returncode, message in done.stderr) == (code, True), done.stderr


def test_a_browser_draws_the_charts_without_complaint(tmp_path, small_config, report, open_page):
    file = tmp_path / "page.html"
    report(trained(tmp_path, small_config, "train.track_every=20", "name=small"), file)
    for dark in (False, True):
        page = open_page(file, dark=dark)
        page.locator("figure").nth(2).scroll_into_view_if_needed()
        page.locator(".drawn .plot svg").nth(2).wait_for()
        assert page.locator(".drawn .plot svg").count() == 3
        assert violations(page) == []


def test_the_keyboard_reads_curves_and_hides_them(tmp_path, small_config, report, open_page):
    results = trained(tmp_path, small_config)
    report(results, tmp_path / "page.html")
    page = open_page(tmp_path / "page.html")
    page.locator(".drawn .plot svg").first.wait_for()
    reading = page.locator("figure .reading").first
    focus(page, ".plot")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    mean = np.mean([history.smoothed() for history in results.of("he").histories], axis=0)
    assert reading.text_content().startswith(f"he, step 1: {mean[1]:.4g}, over seeds ")
    focus(page, ".legend input")
    page.keyboard.press("Space")
    focus(page, ".plot", backwards=True)
    page.keyboard.press("ArrowRight")
    assert reading.text_content().startswith("std=0.01, step 0: ")


def test_every_control_works_by_keyboard(tmp_path, small_config, report, open_page):
    report(trained(tmp_path, small_config, "train.track_every=20", "name=small"), tmp_path / "page.html")
    page = open_page(tmp_path / "page.html")
    page.locator(".drawn").first.wait_for()
    chart = page.locator("figure.chart").first

    focus(page, ".tools input[type=checkbox]")
    linear = chart.locator(".plot svg").inner_html()
    page.keyboard.press("Space")
    drawn_anew(page, linear)

    focus(page, ".tools input[type=number]")
    page.keyboard.type("50")
    page.keyboard.press("Tab")
    page.keyboard.type("60")
    page.keyboard.press("Enter")
    chart.locator(".plot svg text", has_text=re.compile("^60$")).wait_for()
    assert not {"0", "40", "80"} & set(chart.locator(".plot svg text").all_text_contents())

    boxes = chart.locator(".legend input")
    for name, checked in (("Show none", 0), ("Show all", 3)):
        chart.get_by_role("button", name=name).focus()
        page.keyboard.press("Enter")
        assert sum(box.is_checked() for box in boxes.all()) == checked

    focus(page, "summary")
    page.keyboard.press("Enter")
    assert page.locator("details[open]").count() == 1

    tracked = page.locator("figure.chart", has=page.locator("select"))
    tracked.scroll_into_view_if_needed()
    tracked.locator("select").focus()
    page.keyboard.type("entropy")
    name = tracked.locator("select").evaluate("select => select.selectedOptions[0].textContent")
    tracked.locator("svg", has_text=name).first.wait_for()


def drawn_anew(page, before):
    """Wait until the first chart differs."""
    wait_until(page, "(before) => document.querySelector('.plot svg').innerHTML !== before", before)


def focus(page, selector, *, backwards=False):
    """Move on by the tabulator alone to the next element of this kind."""
    for _ in range(60):
        page.keyboard.press("Shift+Tab" if backwards else "Tab")
        if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"the tabulator does not reach {selector}")


def test_no_page_is_wider_than_a_phone(tmp_path, small_config, report, open_page):
    long = "an_endless_label_without_any_space" + 6 * "x"
    small_config.write_text(small_config.read_text().replace("label: huge", f"label: {long}"))
    report(trained(tmp_path, small_config, "train.track_every=20", "name=small"), tmp_path / "page.html")
    page = open_page(tmp_path / "page.html", width=360)
    page.locator(".drawn .plot svg").first.wait_for()
    assert too_wide(page) == 0


def test_a_print_cuts_no_figure(tmp_path, small_config, report, open_page):
    report(trained(tmp_path, small_config, "train.track_every=20", "name=small"), tmp_path / "page.html")
    for script in (True, False):
        pages, cut = printed(open_page(tmp_path / "page.html", script=script))
        assert cut == []
        assert pages <= 8
