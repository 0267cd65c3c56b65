"""A column of widgets that share the height there is: none of them is cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual.geometry import Size
from textual.layout import ArrangeResult, WidgetPlacement
from textual.layouts.vertical import VerticalLayout
from textual.widget import Widget


class SharedHeight(VerticalLayout):
    """Widgets without margins, one below the other.

    Where they are too high together, those that can be lower are made so, the highest first. Where that is not enough
    the last ones are left out, but never the one with the focus.
    """

    name = "shared-height"

    def __init__(self, least: Mapping[Widget, int]) -> None:
        """`least` says of those that can be lower how many rows they need."""
        self._least = least

    def arrange(self, parent: Widget, children: list[Widget], size: Size, greedy: bool = True) -> ArrangeResult:
        """As a vertical layout, within the height of `size`; without a height, as high as they want to be."""
        placements = super().arrange(parent, children, size, greedy)
        if not size.height or sum(place.region.height for place in placements) <= size.height:
            return placements
        kept = self._kept(placements, size.height)
        heights = self._heights(kept, size.height)
        y = 0
        for number, (place, height) in enumerate(zip(kept, heights, strict=True)):
            region = place.region
            kept[number] = place._replace(region=region._replace(y=y, height=height))
            y += height
        return kept

    def _least_height(self, place: WidgetPlacement) -> int:
        return min(place.region.height, self._least.get(place.widget, place.region.height))

    def _kept(self, placements: Sequence[WidgetPlacement], room: int) -> list[WidgetPlacement]:
        """Those for which there is room."""
        kept: list[WidgetPlacement] = []
        for place in sorted(placements, key=lambda place: not place.widget.has_focus_within):
            room -= self._least_height(place)
            if kept and room < 0:
                break
            kept.append(place)
        return [place for place in placements if place in kept]

    def _heights(self, places: Sequence[WidgetPlacement], room: int) -> list[int]:
        """Rows of each; what is left goes to one that takes any height."""
        heights = [place.region.height for place in places]
        while sum(heights) > room:
            lower = [n for n, place in enumerate(places) if heights[n] > self._least_height(place)]
            if not lower:
                heights[-1] = max(1, heights[-1] - (sum(heights) - room))  # one widget higher than all there is
                break
            heights[max(lower, key=heights.__getitem__)] -= 1
        for number, place in enumerate(places):
            if place.widget.styles.is_relative_height:
                heights[number] += room - sum(heights)
        return heights
