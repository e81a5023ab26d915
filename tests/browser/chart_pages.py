"""Steps of tests of charts on a page, and readers of what it shows."""

from playwright.async_api import Locator, Page, expect


async def drawn(page: Page) -> None:
    """Wait until the charts of the range are there."""
    await expect(page.locator("history-charts[aria-busy]")).to_have_count(0)
    await expect(page.locator("history-charts .u-over").first).to_be_visible()


def chart(page: Page, title: str) -> Locator:
    return page.locator("figure.chart").filter(has=page.get_by_role("heading", name=title, exact=True))


def fetches_of(page: Page) -> list[str]:
    """The ranges that the page asks for from now on."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/history?" in request.url else None)
    return asked


async def drag(page: Page, plot: Locator, start: float, end: float) -> None:
    """With the mouse over the plot, from one part of its width to another."""
    await plot.scroll_into_view_if_needed()
    box = await plot.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    await page.mouse.move(box["x"] + start * box["width"], middle)
    await page.mouse.down()
    await page.mouse.move(box["x"] + end * box["width"], middle, steps=5)
    await page.mouse.up()


async def rows_of(box: Locator) -> list[list[str]]:
    found: list[list[str]] = await box.locator("tbody tr").evaluate_all(
        "rows => rows.map(row => [...row.cells].map(cell => cell.textContent.trim()))"
    )
    return found


async def ink_of(figure: Locator, *, minutes: int) -> list[bool]:
    """For each minute of the range whether the line of the whole rig, which is blue, is drawn there."""
    found: list[bool] = await figure.locator("canvas").evaluate(
        """(canvas, minutes) => {
            const {width, height} = canvas, over = canvas.parentElement.querySelector(".u-over");
            const left = over.offsetLeft * devicePixelRatio, wide = over.clientWidth * devicePixelRatio;
            const {data} = canvas.getContext("2d").getImageData(0, 0, width, height);
            const blue = at => data[at + 3] > 200 && data[at + 2] > data[at] + 60;
            return Array.from({length: minutes}, (_, minute) => {
                const x = Math.round(left + (minute + 0.3) * wide / minutes);
                for (let y = 0; y < height; y++) if (blue(4 * (y * width + x))) return true;
                return false;
            });
        }""",
        minutes,
    )
    return found


async def colours_of(plot: Locator) -> set[str]:
    """Returns the colours of the canvas, as text."""
    found: list[str] = await plot.locator("canvas").evaluate(
        """canvas => {
            const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            const pixels = Array.from({length: data.length / 4}, (_, at) => data.slice(4 * at, 4 * at + 4).join());
            return [...new Set(pixels)].filter(pixel => pixel.endsWith(",255"));
        }"""
    )
    return set(found)
