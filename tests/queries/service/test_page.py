"""The page in a real browser, of a real service: what people do with it."""

from __future__ import annotations

import base64
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, Route, expect, sync_playwright

from indexer.catalog.opening import CatalogOptions, open_catalog
from queries.pages.item_map import map_page
from queries.projection.item_map import current_map
from queries.projection.methods import Method
from queries.projection.projecting import ProjectionOptions, project_items

CHROMIUM = shutil.which("chromium")
TIMEOUT_MS = 120_000
VIEWS = (
    *("label", "search", "review", "review?view=grid", "map", "clean", "catalog"),
    "item?id=mug-red",
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (apt install chromium)"),
]


@pytest.fixture(scope="module")
def address(own_address: str) -> str:
    """A service that these tests alone use, for they change the catalog."""
    return own_address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium."""
    expect.set_options(timeout=TIMEOUT_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A tab in which a script error, a dialog or a refused resource fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(TIMEOUT_MS)
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("dialog", lambda dialog: (wrong.append(dialog.message), dialog.dismiss()))
    # A refused request is told on the page, and by the browser too.
    page.on(
        "console",
        lambda said: said.type == "error" and "400" not in said.text and wrong.append(said.text),
    )
    yield page
    context.close()
    assert wrong == []


def drop(page: Page, selector: str, path: Path) -> None:
    """Drop a file onto an element, as a person does."""
    content = base64.b64encode(path.read_bytes()).decode()
    transfer = page.evaluate_handle(
        """([content, name]) => {
            const bytes = Uint8Array.from(atob(content), (one) => one.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], name, { type: "image/png" }));
            return transfer;
        }""",
        [content, path.name],
    )
    page.dispatch_event(selector, "drop", {"dataTransfer": transfer})


def test_a_dropped_picture_is_labelled(page: Page, address: str, drawn: Path) -> None:
    """Its labels appear as bars, the best first, with what the verdict rests on."""
    page.goto(address)
    drop(page, ".drop", drawn / "mug-red.png")
    result = page.get_by_role("article", name="mug-red.png")
    expect(result.locator(".bars li").first).to_contain_text("mug")
    expect(result).to_contain_text("Cosine to the label")
    drop(page, ".drop", drawn / "mug-red.png")
    expect(page.get_by_role("article")).to_have_count(2)
    expect(page.get_by_text("Scores are not calibrated")).to_have_count(1)


def test_texts_are_labelled(page: Page, address: str) -> None:
    """One a line."""
    page.goto(address)
    page.get_by_label("Or texts, one a line").fill("a guitar\n\na laptop\na laptop")
    page.get_by_role("button", name="Label texts").click()
    expect(page.locator(".result")).to_have_count(3)
    expect(page.get_by_role("article", name="a guitar").locator("li").first).to_contain_text(
        "guitar"
    )
    assert_accessible(page)  # with one text twice


def test_percentages_have_a_decimal_below_10_and_stay_on_one_line(page: Page, address: str) -> None:
    """A narrow bar breaks the label's name, never the number."""
    page.goto(address)
    shown = page.evaluate(
        """async () => {
            const { bars, percent } = await import("/page/parts.js");
            const label = "multifunctional-computer-peripherals";
            const list = bars([{ label, path: [label], score: 1 }]);
            list.style.width = "130px";
            document.getElementById("view").append(list);
            const text = document.createRange();
            text.selectNodeContents(list.querySelector(".number"));
            const shares = [0, 0.004, 0.0994, 0.0995, 0.1, 0.995, 1].map(percent);
            return { shares, lines: text.getClientRects().length };
        }"""
    )
    assert shown["shares"] == ["0%", "0.4%", "9.9%", "10%", "10%", "100%", "100%"]
    assert shown["lines"] == 1


def test_a_message_ends_with_its_view(page: Page, address: str) -> None:
    """What search found is of no use in the catalog's view."""
    page.goto(f"{address}/#search?text=guitar")
    expect(page.locator("#status")).to_have_text("8 found.")
    page.get_by_role("link", name="Catalog").click()
    expect(page.get_by_role("heading", name="Catalog")).to_be_visible()
    expect(page.locator("#status")).to_be_empty()


def test_search_and_more_like_this(page: Page, address: str) -> None:
    """By words, by a filter, then by an item; the pictures are there."""
    page.goto(f"{address}/#search")
    page.get_by_label("Words").fill("guitar")
    page.keyboard.press("Enter")
    cards = page.locator(".card")
    expect(cards).to_have_count(8)
    expect(cards.first).to_contain_text("guitar")
    expect(cards.first.locator("img")).to_have_js_property("naturalWidth", 128)
    cards.first.get_by_role("button", name="More like this").click()
    expect(cards).to_have_count(7)
    expect(cards.first).to_contain_text("guitar")
    page.get_by_label("Filter").fill('item_id in ["mug-red", "mug-blue"]')
    page.get_by_role("button", name="Search").click()
    expect(cards).to_have_count(2)
    page.get_by_label("Filter").fill("drop table (")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("#status")).to_contain_text("filter")


def test_what_is_to_be_known_of_hits_stands_above_them(page: Page, address: str) -> None:
    """The notes of the answer, which go with the next search."""

    def noted(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json=answer.json() | {"notes": ["an old label"]})

    page.route("**/v1/search", noted)
    page.goto(f"{address}/#search?text=guitar")
    expect(page.locator("#notes")).to_have_text("an old label")
    page.unroute("**/v1/search")
    page.goto(f"{address}/#search?text=mug")
    expect(page.locator("#notes")).to_be_empty()


def test_things_in_a_picture_have_boxes_and_items(
    page: Page, address: str, drawn: Path, tmp_path: Path
) -> None:
    """A box lies over each thing; it leads to the items like it."""
    scene = Image.new("RGB", (340, 170), "white")
    for name, x in (("mug-red", 15), ("guitar-blue", 195)):
        scene.paste(Image.open(drawn / f"{name}.png"), (x, 20))
    scene.save(tmp_path / "scene.png")
    page.goto(f"{address}/#search")
    page.locator("#scene").set_input_files(tmp_path / "scene.png")
    box = page.get_by_role("button", name=re.compile(r"^Thing \d, mug: its items$")).first
    expect(box).to_be_visible()
    shown, picture = box.bounding_box(), page.locator(".scene img").bounding_box()
    assert shown is not None
    assert picture is not None
    assert picture["x"] - 1 <= shown["x"] < picture["x"] + picture["width"] / 2
    box.click()
    heading = page.locator("h3:focus")
    expect(heading).to_contain_text("mug")
    expect(page.locator("section:has(h3:focus) .card").first).to_contain_text("mug")
    assert_accessible(page)
    heading.locator("xpath=..").get_by_role("button", name="More like this").first.click()
    expect(page.locator(".scene")).to_have_count(0)
    expect(page.locator("#hits .card").first).to_be_visible()


def test_a_box_lies_where_its_part_s_id_says(page: Page, address: str) -> None:
    """In shares of its picture; its name stays within. Other ids are no boxes."""
    page.goto(f"{address}/#search")
    drawn = page.evaluate(
        """async () => {
            const { boxOf, drawnBox } = await import("/page/parts.js");
            const box = boxOf("set#view=2&box=300,60,80,120");
            const drawn = drawnBox("span", { ...box, text: "2 mug" }, 400, 240);
            const { style, className, dataset } = drawn;
            return [box.whole, box.box, style.left, style.top, style.width, style.height, className,
                dataset.part, boxOf("set#view=2"), boxOf("box=1,2,3,4"), boxOf("")];
        }"""
    )
    assert drawn == ["set#view=2", [300, 60, 80, 120], "75%", "25%", "20%", "50%", "thing right",
                     "set#view=2&box=300,60,80,120", None, None, None]  # fmt: skip


def test_exact_matches_and_counts(page: Page, address: str) -> None:
    """A switch finds words too; counts are chips that narrow; what is not wanted goes."""
    page.goto(f"{address}/#search")
    page.get_by_label("Words").fill("laptop red")
    page.get_by_label("Exact matches too").check()
    page.get_by_text("More", exact=True).click()
    page.get_by_label("Count by").fill("label")
    page.keyboard.press("Enter")
    cards = page.locator(".card")
    expect(cards).to_have_count(8)
    expect(cards.first).to_contain_text("laptop-red")
    chip = page.locator(".facet .chip").first
    expect(chip).to_be_visible()
    assert_accessible(page)
    count = int(chip.locator(".number").inner_text())
    chip.click()
    expect(cards).to_have_count(count)
    expect(page.get_by_label("Filter")).to_have_value(re.compile("label == "))
    page.get_by_label("Filter").fill("")
    page.get_by_label("Not").fill("blue")
    page.get_by_role("button", name="Search").click()
    expect(cards).to_have_count(4)
    page.get_by_label("Not").fill("")
    page.get_by_label("One of each").fill("label")
    page.get_by_role("button", name="Search").click()
    query = {"text": "laptop red", "limit": 20}
    hits = httpx.post(f"{address}/v1/search", json=query, timeout=60).json()["hits"]
    labels = [hit["label"] for hit in hits]  # a test may have corrected or rejected some
    expect(cards).to_have_count(len({*labels} - {""}) + labels.count(""))
    assert "group=label" in page.url


def test_back_leads_to_what_was_looked_for_before(page: Page, address: str) -> None:
    """From things like an item to the words; and an address can be opened as it is."""
    page.goto(f"{address}/#search")
    page.get_by_label("Words").fill("guitar")
    page.get_by_label("Filter").fill('title != "nothing"')
    page.keyboard.press("Enter")
    cards = page.locator(".card")
    expect(cards).to_have_count(8)
    found = cards.all_text_contents()
    cards.first.get_by_role("button", name="More like this").click()
    expect(cards).to_have_count(7)
    page.go_back()
    expect(cards).to_have_count(8)
    expect(cards).to_have_text(found)
    expect(page.get_by_label("Words")).to_have_value("guitar")
    expect(page.get_by_label("Filter")).to_have_value('title != "nothing"')
    page.go_forward()
    expect(cards).to_have_count(7)
    like = cards.all_text_contents()
    page.reload()
    expect(cards).to_have_count(7)
    expect(cards).to_have_text(like)
    expect(page.get_by_role("link", name="Search")).to_have_attribute("aria-current", "page")


def assert_accessible(page: Page) -> None:
    """Axe finds nothing on the page as it stands."""
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def wait_until_stored(address: str, label: str) -> None:
    """Where the service is slow the page says that an item has its label later."""
    until = time.monotonic() + TIMEOUT_MS / 1_000
    while httpx.get(address, timeout=60).json()["label"] != label:
        assert time.monotonic() < until
        time.sleep(0.1)


def categorize_again(page: Page, address: str) -> None:
    """A job runs, its progress ends, and its table can be downloaded."""
    page.goto(f"{address}/#catalog")
    page.get_by_role("button", name="Categorize").click()
    expect(page.locator(".result").first).to_contain_text("done")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the table").first.click()
    assert download.value.suggested_filename == "categorize.parquet"
    table = page.get_by_role("button", name="Download the table").element_handle()
    jobs = page.locator(".result").count()  # a map that another test laid out is one, too
    page.get_by_role("button", name="Categorize").click()
    expect(page.locator(".result")).to_have_count(jobs + 1)
    expect(page.locator(".result").first).to_contain_text("done")
    assert table.evaluate("(button) => button.isConnected"), "the focus on it would be lost"
    assert_accessible(page)  # with two jobs of one kind


def test_the_address_names_a_view_or_none(page: Page, address: str) -> None:
    """What is no view is the first one, and skipping to the content stays in its view."""
    page.goto(f"{address}/#toString")
    expect(page.get_by_role("heading", name="Label pictures, sounds and texts")).to_be_visible()
    page.goto(f"{address}/#search")
    page.get_by_role("link", name="Skip to content").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#view")).to_be_focused()
    assert page.url.endswith("#search")


def test_a_correction_by_keys_moves_an_item_and_a_second_browser_sees_it(
    page: Page, browser: Browser, address: str
) -> None:
    """Only keys are used: C, the name, Enter; then the item has the label everywhere."""
    page.goto(f"{address}/#review")
    item_id = page.locator(".reviewing").get_attribute("aria-label")
    page.keyboard.press("c")
    page.keyboard.type("teap")
    expect(page.get_by_role("listbox", name="Labels").get_by_role("option")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_contain_text("Corrected")
    expect(page.locator("#review-count")).to_have_text("7")
    wait_until_stored(f"{address}/v1/items/{item_id}", "teapot")
    other = browser.new_context().new_page()
    other.goto(f"{address}/#search")
    other.get_by_label("Words").fill("anything")
    other.get_by_label("Filter").fill('label == "teapot"')
    other.keyboard.press("Enter")
    expect(other.locator(".card")).to_have_count(1)
    expect(other.locator(".card")).to_contain_text(str(item_id))
    other.goto(f"{address}/#item?{urlencode({'id': item_id})}")
    expect(other.locator("ol li", has_text="to teapot")).to_have_count(1)
    other.context.close()
    page.keyboard.down("a")
    page.keyboard.down("a")  # held, which decides one item all the same
    expect(page.locator("#review-count")).to_have_text("6")
    page.keyboard.down("a")
    page.keyboard.up("a")
    page.keyboard.press("r")
    expect(page.locator("#review-count")).to_have_text("5")
    categorize_again(page, address)


def decisions_of(address: str) -> dict[str, tuple[str, float, str]]:
    """Label, score and status of all items, as they are stored."""
    asked = {"item_id": "mug-red", "limit": 20}
    hits = httpx.post(f"{address}/v1/search", json=asked, timeout=60).json()["hits"]
    return {hit["item_id"]: (hit["label"], hit["score"], hit["status"]) for hit in hits}


def test_skip_and_undo_by_keys_leave_all_as_it_was(page: Page, address: str) -> None:
    """S shows the next item, U the skipped one again; U takes a verdict back in the store too."""
    before = decisions_of(address)
    page.goto(f"{address}/#review")
    card, said = page.locator(".reviewing"), page.locator("#status")
    first = card.get_attribute("aria-label")
    figures = page.locator("#errors-left p").first
    told = str(figures.text_content())
    page.keyboard.press("s")
    expect(said).to_have_text("Skipped.")
    expect(card).not_to_have_attribute("aria-label", str(first))
    page.keyboard.press("u")
    expect(card).to_have_attribute("aria-label", str(first))
    page.keyboard.press("r")
    expect(said).to_contain_text("Rejected")
    wait_until_stored(f"{address}/v1/items/{first}", "")
    expect(figures).not_to_have_text(told)
    page.keyboard.press("u")
    expect(said).to_contain_text("Taken back")
    expect(card).to_have_attribute("aria-label", str(first))
    expect(figures).to_have_text(told)
    expect(page.get_by_role("button", name="Undo")).to_be_disabled()
    if first in before:  # the item that the others are sought by is not among them
        wait_until_stored(f"{address}/v1/items/{first}", before[first][0])
    assert decisions_of(address) == before


def test_several_are_accepted_at_once_and_a_choice_is_a_category(page: Page, address: str) -> None:
    """X checks none or all, Space unchecks one, A accepts the rest, C changes one, U undoes."""
    before = decisions_of(address)
    queue = httpx.get(f"{address}/v1/review", timeout=60).json()["items"]
    label = next(item["label"] for item in queue if item["label"])
    ids = [item["item_id"] for item in queue if item["label"] == label]
    page.goto(f"{address}/#review?view=grid&category={label}")
    cards, said = page.locator(".pick"), page.locator("#status")
    expect(cards).to_have_count(len(ids))
    boxes = cards.get_by_role("checkbox")
    expect(boxes.first).to_be_focused()
    checks = "(all) => all.map((one) => one.checked)"
    likely = [item["score"] >= 0.5 for item in queue if item["label"] == label]
    assert boxes.evaluate_all(checks) == likely
    page.keyboard.press("x")
    all_again = not all(likely)
    assert boxes.evaluate_all(checks) == [all_again] * len(ids)
    if not all_again:
        page.keyboard.press("x")
    page.keyboard.press("Space")
    assert_accessible(page)
    left, accepted = cards.nth(0).locator("a").inner_text(), len(ids) - 1
    if accepted:
        page.keyboard.press("a")
        expect(said).to_contain_text(f"Accepted: {accepted}")
        expect(cards).to_have_count(1)
        expect(cards.locator("a")).to_have_text(left)
        page.keyboard.press("u")
        expect(said).to_contain_text("Taken back")
        expect(cards).to_have_count(len(ids))
    page.keyboard.press("c")
    expect(page.get_by_role("combobox", name="Correct to")).to_be_focused()
    assert_accessible(page)
    page.keyboard.type("laptop" if label != "laptop" else "guitar")
    expect(page.get_by_role("listbox", name="Labels").get_by_role("option")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(said).to_contain_text("Corrected")
    page.keyboard.press("u")
    expect(cards).to_have_count(len(ids))
    assert decisions_of(address) == before
    statuses = {item["status"] for item in queue if item["label"] == label}
    other = next(one for one in ("accepted", "review", "unknown") if one not in statuses)
    page.get_by_label("Status").select_option(other)
    expect(page.locator(".end")).to_have_text("Nothing of this choice waits.")
    assert f"status={other}" in page.url


def test_a_category_leads_to_its_items_and_these_to_their_views(page: Page, address: str) -> None:
    """By the keyboard: category, item, what is known of it and why, and what is like it."""
    items = [
        httpx.get(f"{address}/v1/items/{item_id}", timeout=60).json()
        for item_id in ("guitar-red", "mug-red", "laptop-red")
    ]
    shown = next(item for item in items if item["label"])  # a test may have rejected one
    item_id = shown["item_id"]
    page.goto(f"{address}/#catalog")
    page.get_by_role("list", name="category").get_by_role("link", name=shown["label"]).focus()
    page.keyboard.press("Enter")
    card = page.locator("#hits .card", has_text=item_id)
    expect(card).to_contain_text(shown["label"])
    card.get_by_role("link").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=2)).to_have_text(shown["title"])
    item = page.get_by_role("region", name=item_id)
    expect(item.locator("img")).to_have_js_property("naturalWidth", 128)
    expect(item).to_contain_text(shown["label"])
    expect(page.locator("#similar .card")).to_have_count(7)
    item.get_by_role("button", name="Why?").click()
    expect(item).to_contain_text("Nearest texts of the label")
    near = item.locator(".near .card")
    expect(near.first.locator("img")).to_have_js_property("naturalWidth", 128)
    expect(near.first.get_by_role("link")).to_have_attribute("href", re.compile("^#item[?]id="))
    assert_accessible(page)
    assert page.url.endswith(f"#item?id={item_id}")


def test_categories_are_a_tree_whose_branches_sum_up(page: Page, address: str) -> None:
    """A branch has the items below it, and a line for those of its own."""
    page.goto(address)
    page.evaluate(
        """async () => {
            const { tree } = await import("/page/tree.js");
            const one = (path, items, mean_score, statuses) =>
                ({ label_id: path.at(-1) ?? "", label: path.at(-1) ?? "", path, path_ids: path,
                   items, mean_score, statuses });
            const categories = [
                one(["home", "mug"], 3, 0.5, { review: 1 }), one(["home", "lamp"], 1, 0.9, {}),
                one(["home"], 4, 0.2, { review: 2 }), one(["bag"], 2, 0.05, {}),
                one([], 1, 0.1, { unknown: 1 })];
            document.getElementById("view").replaceChildren(tree(categories, "category"));
        }"""
    )
    branch = page.locator(".tree details")
    expect(branch.locator("summary")).to_have_text("home8 items, mean score 40%, 3 to look at")
    expect(branch.locator("li").first).to_have_text("All of home8 items")
    expect(branch.locator("li").nth(1)).to_have_text(
        "home itself4 items, mean score 20%, 2 to look at"
    )
    expect(page.locator(".tree > .leaf")).to_have_text(
        ["bag2 items, mean score 5.0%", "none fits1 item, mean score 10%, 1 to look at"]
    )
    link = branch.get_by_role("link", name="mug")
    expect(link).to_have_attribute("href", "#search?category=mug")
    link = branch.get_by_role("link", name="All of home")
    expect(link).to_have_attribute("href", "#search?category=home")
    assert_accessible(page)


def test_another_label_set_is_chosen_reviewed_and_shown(page: Page, address: str) -> None:
    """The address says which; a verdict is of that set alone, and a found item shows it."""
    page.goto(f"{address}/#review")
    page.get_by_label("Label set").select_option("colour")
    expect(page).to_have_url(re.compile(r"#review\?set=colour$"))
    card = page.locator(".reviewing")
    expect(card.locator("strong").first).to_have_text(re.compile("red|blue"))
    item_id = card.get_attribute("aria-label")
    page.keyboard.press("c")
    page.keyboard.type("blue")
    expect(page.get_by_role("listbox", name="Labels").get_by_role("option")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_contain_text("Corrected")
    page.goto(f"{address}/#search")
    page.get_by_label("Words").fill("anything")
    page.get_by_label("Filter").fill('attributes["colour_status"] == "confirmed"')
    page.keyboard.press("Enter")
    expect(page.locator(".card")).to_have_count(1)
    expect(page.locator(".card")).to_contain_text(str(item_id))
    expect(page.locator(".card")).to_contain_text("colour: blue")
    page.goto(f"{address}/#catalog?set=colour")
    expect(page.get_by_role("heading", name="Label set colour")).to_be_visible()


@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing_and_a_phone_needs_no_sideways_scrolling(
    browser: Browser, address: str, view: str
) -> None:
    """WCAG 2.2 AA, on a phone's width, in both colour schemes."""
    context = browser.new_context(
        viewport={"width": 390, "height": 800}, color_scheme="light", reduced_motion="reduce"
    )
    context.set_default_timeout(TIMEOUT_MS)
    page = context.new_page()
    page.goto(f"{address}/#{view}")
    page.wait_for_load_state("networkidle")
    assert_accessible(page)
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= 390
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    assert_accessible(page)
    context.close()


def _map_of_items(page: Page, address: str) -> Locator:
    """The map; the first test that looks at it lays the items out."""
    page.goto(f"{address}/#map")
    canvas = page.get_by_role("application", name=re.compile("^Map of 8 items"))
    lay_out = page.get_by_role("button", name="Lay the items out")
    expect(canvas.or_(lay_out)).to_be_visible()
    if lay_out.is_visible():
        lay_out.click()
    expect(canvas).to_be_visible()
    return canvas


def test_the_map_is_laid_out_coloured_and_chosen_from_by_keys(page: Page, address: str) -> None:
    """A button lays the items out; a rectangle of the keyboard lists them; ids are exported."""
    canvas = _map_of_items(page, address)
    entries = page.get_by_role("list", name="Colours").get_by_role("listitem")
    expect(entries.first).to_be_visible()
    page.get_by_label("Coloured by").select_option("attributes.colour")
    expect(page.get_by_role("list", name="Colours").get_by_role("button")).to_have_count(2)
    expect(page).to_have_url(re.compile(r"#map\?column=attributes\.colour$"))
    canvas.focus()
    for key in ("-", "-", "-", "s", *["Shift+ArrowDown"] * 5, "Enter"):
        page.keyboard.press(key)
    chosen = page.get_by_role("region", name="Selection")
    expect(chosen.get_by_role("heading")).to_be_focused()
    expect(chosen.get_by_role("heading")).to_have_text("8 items chosen")
    expect(chosen.locator(".card")).to_have_count(8)
    expect(chosen.locator(".card img")).to_have_count(8)
    assert_accessible(page)
    with page.expect_download() as download:
        chosen.get_by_role("button", name="Export ids").click()
    assert len(download.value.path().read_text().split()) == 8
    page.get_by_role("button", name=re.compile("^red")).click()
    canvas.focus()
    for key in ("s", *["Shift+ArrowDown"] * 5, "Enter"):
        page.keyboard.press(key)
    expect(chosen.get_by_role("heading"), "only the pressed colour is on the map").to_have_text(
        re.compile("^[1-7] items? chosen$")
    )


def test_a_selection_of_the_map_opens_as_a_list_and_for_review(page: Page, address: str) -> None:
    """These very items, in both views; a tab that does not have the selection says so."""
    canvas = _map_of_items(page, address)
    page.get_by_label("Coloured by").select_option("attributes.colour")
    page.get_by_role("button", name=re.compile("^red")).click()
    canvas.focus()
    for key in ("-", "-", "-", "s", *["Shift+ArrowDown"] * 5, "Enter"):
        page.keyboard.press(key)
    chosen = page.get_by_role("region", name="Selection")
    expect(chosen.get_by_role("heading")).to_be_focused()
    count = int(chosen.get_by_role("heading").inner_text().split()[0])
    assert 0 < count < 8
    links = chosen.locator(".card strong a")
    expect(links).to_have_count(count)
    titles = sorted(links.all_inner_texts())
    chosen.get_by_role("link", name="Open as a list").click()
    expect(page.locator(".end")).to_have_text(f"{count} items.")
    assert sorted(page.locator("#hits .card strong a").all_inner_texts()) == titles
    page.go_back()
    canvas.focus()
    for key in ("-", "-", "-", "s", *["Shift+ArrowDown"] * 5, "Enter"):
        page.keyboard.press(key)
    review = chosen.get_by_role("link", name="Review these items")
    href = review.get_attribute("href")
    review.click()
    expect(page.locator("#of-selection")).to_contain_text("Only the")
    assert_accessible(page)
    page.evaluate("sessionStorage.clear()")
    page.goto(f"{address}/#catalog")
    page.goto(f"{address}/{href}")
    expect(page.locator("main")).to_contain_text("does not have that selection")


def test_a_lasso_and_a_point_of_the_map(page: Page, address: str) -> None:
    """What a drag goes around is found, what lies outside is not; a click opens what it hits."""
    page.goto(address)
    found = page.evaluate(
        """async () => {
            const { Scatter } = await import("/page/scatter.js");
            const { gestures } = await import("/page/gestures.js");
            const canvas = document.createElement("canvas");
            canvas.style.cssText = "position: fixed; z-index: 9; left: 0; top: 0";
            [canvas.style.width, canvas.style.height] = ["400px", "400px"];
            const overlay = document.createElementNS("http://www.w3.org/2000/svg", "svg");
            document.body.append(canvas, overlay);
            const [x, y] = [[0, 65535, 32768], [0, 0, 65535]].map((one) => Uint16Array.from(one));
            const scatter = new Scatter(canvas, x, y);
            scatter.resize();
            scatter.paint();
            const seen = { opened: [], chosen: [] };
            gestures(scatter, overlay, { isLasso: () => false, say: () => {},
                onPoint: (index, how) => { if (how === "open") seen.opened.push(index); },
                onSelect: (indices) => seen.chosen.push(indices) });
            window.seen = seen;
            return [0, 1, 2].map((index) => scatter.place(index));
        }"""
    )
    left, right, top = found
    page.mouse.move(left[0] - 9, left[1] - 30)
    page.keyboard.down("Shift")
    page.mouse.down()
    for place in ((right[0] + 9, right[1] - 30), (right[0] + 9, right[1] + 9), (0, left[1] + 9)):
        page.mouse.move(*place, steps=5)
    page.mouse.up()
    page.keyboard.up("Shift")
    page.mouse.click(top[0] + 3, top[1])
    assert page.evaluate("window.seen") == {"opened": [2], "chosen": [[0, 1]]}


def test_the_file_of_a_map_needs_nothing_else(
    page: Page, options: CatalogOptions, tmp_path: Path
) -> None:
    """Opened from a folder it shows its items, and asks for nothing."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    file = tmp_path / "map.html"
    with open_catalog(options) as catalog:
        project_items(catalog, ProjectionOptions(method=Method.PCA))
        item_map = current_map(catalog)
        assert item_map is not None
        file.write_text(map_page(catalog, item_map), encoding="utf-8")
    page.goto(file.as_uri())
    canvas = page.get_by_role("application", name="Map of 8 items")
    expect(page.get_by_role("list", name="Colours")).to_have_text("not labelled8")
    canvas.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".map-tip")).to_contain_text(re.compile("red|blue"))
    assert_accessible(page)
    assert asked == [file.as_uri()]
