"""The plot of the accuracy card: methods by groups of attacks."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from hashlens.errors import ParameterError
from hashlens.evaluation.values import OURS, AttackOf, Method, Score, group_rates

_PANELS = {"accepted": "accepted and right, %", "first": "nearest is right, %"}


def require_matplotlib() -> Any:
    """Return matplotlib's class of figures; raises ParameterError if it is not installed."""
    try:
        return import_module("matplotlib.figure").Figure
    except ImportError as error:
        msg = "a plot needs matplotlib, which is not installed: pip install 'hashlens[evaluate]'"
        raise ParameterError(msg) from error


def save_plot(
    path: str | os.PathLike[str],
    attacks: Sequence[AttackOf],
    methods: Sequence[Method],
    scores: Sequence[Score],
) -> None:
    """Write the plot of measured methods to an image file.

    Raises ParameterError if matplotlib is not installed.
    """
    figure_of = require_matplotlib()
    groups = list(dict.fromkeys(attack.group for attack in attacks))
    size = (3 + 0.55 * len(groups), 2.4 + 0.62 * len(methods))
    figure = figure_of(figsize=size, layout="constrained")
    for axes, (what, title) in zip(figure.subplots(2, 1), _PANELS.items(), strict=True):
        percentages = {
            method.name: [
                100 * rate.share
                for rate in group_rates(attacks, scores, method.name, what).values()
            ]
            for method in methods
        }
        axes.set_title(title, loc="left", fontsize=10)
        _draw_cells(axes, groups, percentages)
    figure.savefig(path, dpi=120)


def _draw_cells(
    axes: Any, groups: Sequence[str], percentages: Mapping[str, Sequence[float]]
) -> None:
    """Draw a cell for each method and group, with its percentage; our name is in bold."""
    names, rows = list(percentages), list(percentages.values())
    axes.imshow(rows, cmap="Blues", vmin=0, vmax=125, aspect="auto")
    axes.set_xticks(range(len(groups)), groups, rotation=40, ha="right", fontsize=8)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.get_yticklabels()[names.index(OURS)].set_fontweight("bold")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    style = {"ha": "center", "va": "center", "fontsize": 7}
    for row, values in enumerate(rows):
        for column, value in enumerate(values):
            shade = "white" if value > 75 else "black"
            axes.text(column, row, f"{value:.0f}", color=shade, **style)
