"""`initlab schemes` and `initlab explain`: the list of schemes, and the distribution behind one."""

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from initlab.cli.completion import activation_names, scheme_names
from initlab.cli.terminal import (
    ACTIVATION_HELP,
    JsonOption,
    app,
    print_json,
    print_table,
    print_text,
)
from initlab.errors import UsageError, alternatives, require, shortened, similar
from initlab.own_code import installed, package_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_LARGEST = 10_000_000  # weights of a layer


@app.command()
def schemes(
    words: Annotated[
        list[str] | None, typer.Argument(help="Only schemes with these words in a name or the source.")
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(help="Only those of a library, for example torch, or of an author, for example Glorot."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the schemes with formulas and sources.

    The names that other libraries give them follow.
    """
    wanted = [word.lower() for word in words or []]
    rows = [row for row in _scheme_rows() if _matches(row, wanted, source)]
    elsewhere = _names_elsewhere(wanted, source)
    if not rows and not elsewhere:
        raise UsageError(_nothing(words or [], source))
    if as_json:
        print_json({"schemes": rows, "names_elsewhere": elsewhere, "installed": _installed_rows()})
        return
    print_text("n_in: inputs of a unit; n_out: units of the layer. Arguments go in brackets: he(scale=1.8).")
    for row in rows:
        aliases = f" (also {', '.join(row['also'])})" if row["also"] else ""
        _print_entry(f"{row['name']}{aliases}", row["formula"], row["source"])
    if elsewhere:
        typer.echo("")
        print_text("The names of other libraries, which `initlab explain` translates:")
    for means, names in _by_meaning(elsewhere).items():
        _print_entry(", ".join(names), means)
    added = _installed_rows()
    if added:
        typer.echo("\nInstalled packages add:")
        print_table(["name", "kind", "package"], [list(row.values()) for row in added])


def _nothing(words: "Sequence[str]", source: str | None) -> str:
    """The message where no scheme has these words, nor its source the word for it."""
    sought = shortened(" ".join([*words, *([f"--source {source}"] if source else [])]))
    vocabulary = _vocabulary()
    given = [*words, *([source] if source else [])]
    meant = [
        near for word in given if word.lower() not in vocabulary for near in similar(word, vocabulary, 1)
    ]
    hint = f"did you mean {alternatives(map(repr, meant))}? " if meant else ""
    return f"no scheme has {sought}; {hint}`initlab schemes` lists all"


def _vocabulary() -> list[str]:
    """The words that find schemes: names, libraries, and the longer words of sources."""
    from initlab.init.scheme import LIBRARY_NAMES

    rows = _scheme_rows()
    names = [name for row in rows for name in (row["name"], *row["also"])]
    libraries = [part for name in LIBRARY_NAMES for part in (*name.split(":"), name)]
    sources = [word for row in rows for word in re.findall(r"[^\W\d_]{4,}", row["source"])]
    return sorted({word.lower() for word in (*names, *libraries, *sources)})


def _print_entry(title: str, *paragraphs: str) -> None:
    print_text(title)
    for paragraph in paragraphs:
        print_text(paragraph, indent=4)


def _matches(row: dict[str, Any], words: "Sequence[str]", source: str | None) -> bool:
    """Whether a scheme has all words, and its source the word for it."""
    names, text = [row["name"], *row["also"]], f"{row['formula']} {row['source']}"
    return _have(names, text, words) and (source or "").lower() in row["source"].lower()


def _have(names: "Sequence[str]", text: str, words: "Sequence[str]") -> bool:
    """Whether each word is a part of a name, or a whole word of the text."""
    return all(
        any(word in name.lower() for name in names)
        or re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE)
        for word in words
    )


def _names_elsewhere(words: "Sequence[str]", source: str | None) -> dict[str, str]:
    """The names of other libraries that have all words, each with its meaning."""
    from initlab.init.scheme import LIBRARY_NAMES

    library = "" if source is None else f"{source.lower()}:"
    return {
        name: entry.means
        for name, entry in LIBRARY_NAMES.items()
        if name.startswith(library) and _have([name], entry.means, words)
    }


def _by_meaning(names: "Mapping[str, str]") -> dict[str, list[str]]:
    """The names that mean the same thing, together."""
    meanings: dict[str, list[str]] = {}
    for name, meaning in names.items():
        meanings.setdefault(meaning, []).append(name)
    return meanings


def _installed_rows() -> list[dict[str, str]]:
    """The schemes and activations of other packages, none of which is imported."""
    return [
        {"name": name, "kind": kind, "package": package_of(point)}
        for kind in ("scheme", "activation")
        for name, point in sorted(installed(kind).items())
    ]


def _scheme_rows() -> list[dict[str, Any]]:
    from initlab.init.scheme import SCHEMES

    return [
        {"name": name, "formula": law.formula, "source": law.source, "also": sorted(law.also)}
        for name, law in sorted(SCHEMES.items())
    ]


@app.command()
def explain(
    scheme: Annotated[
        str,
        typer.Argument(
            help="A scheme, for example he, torch:linear or keras:he_normal.", autocompletion=scheme_names
        ),
    ],
    layer: Annotated[
        str, typer.Option(metavar="INxOUT", help="The shape of a layer, as 784x100.")
    ] = "100x100",
    depth: Annotated[int, typer.Option(min=1, help="Hidden layers; auto alone depends on it.")] = 20,
    activation: Annotated[
        list[str] | None,
        typer.Option(help=ACTIVATION_HELP, show_default="all of ours", autocompletion=activation_names),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Explain a scheme: distribution, other names, effect.

    The effect is what mean-field theory predicts for wide and deep networks of each activation function.
    """
    from initlab.theory.explain import explain as explain_scheme

    explanation = explain_scheme(scheme, _layer_shape(layer), depth, activation or [])
    if as_json:
        outlooks = [vars(outlook) for outlook in explanation.outlooks]
        starts = [vars(start) for start in explanation.starts]
        names = {"scheme": str(explanation.scheme), "bias": explanation.bias and str(explanation.bias)}
        print_json({**vars(explanation), **names, "outlooks": outlooks, "starts": starts})
        return
    for paragraph in explanation.paragraphs:
        print_text(paragraph)
    if explanation.table:
        typer.echo(f"\n{explanation.heading}")
        print_table(explanation.table[0], explanation.table[1:])
        for note in explanation.notes:
            print_text(note)


def _layer_shape(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,9})x(\d{1,9})", text)
    if not match:
        raise UsageError(f"--layer {text[:60]}: write inputs and units, as in --layer 784x100")
    n_in, n_out = int(match[1]), int(match[2])
    # The weights are drawn under every name, to see which are the same.
    require(n_in * n_out <= _LARGEST, f"--layer {text}: at most {_LARGEST:,} weights, not {n_in * n_out:,}")
    return n_in, n_out
