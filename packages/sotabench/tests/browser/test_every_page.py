"""What holds for every page: no complaint of the browser, nothing wider than a phone, labels, focus, contrast.

`Visitors` itself fails a test on any error of the console, the content security policy's among them.
"""

import pytest

from sotabench.server.papers.models import Paper

BOARD = "/benchmarks/image-classification-on-imagenet"
EVERY_COLUMN = "c=paper&c=tier&c=parameters&c=macs&c=speed&c=extra&c=code&c=date"
PHONE = {"width": 360, "height": 740}
DESKTOP = {"width": 1280, "height": 900}

UNLABELLED = """() => [...document.querySelectorAll('input, select, textarea')]
    .filter(field => field.type !== 'hidden' && !field.labels.length && !field.ariaLabel)
    .map(field => field.outerHTML)"""
FOCUSED = """() => {
    const found = document.activeElement;
    if (!found || found === document.body) return null;
    const style = getComputedStyle(found), box = found.getBoundingClientRect();
    const seen = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2 && box.width > 0
        && box.right > 0 && box.bottom > 0 && box.top < innerHeight;
    return [seen, found.outerHTML.slice(0, 200)];
}"""
# WCAG 2.1: the ratio of relative luminances of each text and what is behind it, 4.5 or more; 3 for a mere sign.
FAINT = """() => {
    const channel = v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    const rgba = text => text.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
    const behind = node => {
        for (; node; node = node.parentElement) {
            const found = rgba(getComputedStyle(node).backgroundColor);
            if (found.length < 4 || found[3] === 1) return found;
        }
        return [255, 255, 255];
    };
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), faint = [];
    while (texts.nextNode()) {
        const node = texts.currentNode.parentElement, text = texts.currentNode.data.trim();
        if (!text || node.closest('svg, option, script, style') || !node.checkVisibility()) continue;
        const pair = [light(rgba(getComputedStyle(node).color)), light(behind(node))].sort((a, b) => b - a);
        const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
        if (ratio < (node.closest('[aria-hidden]') ? 3 : 4.5)) faint.push(ratio.toFixed(2) + ' ' + text.slice(0, 60));
    }
    return faint;
}"""


@pytest.fixture
def public(submitted, vision):
    """The addresses of all pages that everybody may see."""
    best = submitted[0]
    return [
        "/", "/benchmarks", BOARD, f"{BOARD}?{EVERY_COLUMN}", f"{BOARD}?q=nothing", f"{BOARD}?tab=papers",
        f"{BOARD}?tab=plot", f"{BOARD}?tab=plot&x=year", f"/benchmarks/{submitted[3].benchmark.slug}",
        f"/results/{best.pk}", f"/results/{submitted[2].pk}", f"/results/{submitted[3].pk}",
        f"/results/{best.pk}/compare?with={submitted[1].pk}", f"/paper/{Paper.objects.get(arxiv_id='1611.05431').slug}",
        "/user/ada", "/user/ada/repos/pytorch/vision", "/builds/pytorch/vision/1",
        "/accounts/login/", "/accounts/signup/", "/accounts/password/reset/",
    ]  # fmt: skip


@pytest.fixture
def own(submitted, secret):
    """The addresses of the pages that show a user what is theirs."""
    return [
        "/settings/tokens", "/settings/repositories", "/settings/repositories/a/b/proof",
        "/settings/repositories/pytorch/vision/settings", "/user/ada", "/user/ada/repos/pytorch/vision",
        f"/user/ada/repos/{secret.host}/{secret}", "/accounts/password/change/", "/accounts/email/",
        "/accounts/3rdparty/", "/accounts/logout/",
    ]  # fmt: skip


@pytest.fixture
def opened(visitors, signed_in, ada, public, own):
    """Each page of the site, opened in a browser like this."""

    def pages(**options):
        for page, addresses in ((visitors.new(**options), public), (signed_in(ada, **options), own)):
            for address in addresses:
                assert page.goto(address).status == 200, address
                yield address, page

    return pages


def test_no_page_is_wider_than_a_phone(opened):
    wide = {}
    for address, page in opened(viewport=PHONE):
        for details in page.locator("summary").all():
            details.click()
        if beyond := page.evaluate("document.scrollingElement.scrollWidth - innerWidth"):
            wide[address] = beyond
    assert wide == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_what_is_behind_it(opened, scheme):
    faint, backgrounds = {}, set()
    for address, page in opened(viewport=DESKTOP, color_scheme=scheme):
        backgrounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        if found := page.evaluate(FAINT):
            faint[address] = found
    assert faint == {}
    assert backgrounds == {"rgb(255, 255, 255)" if scheme == "light" else "rgb(20, 25, 29)"}


def test_every_field_has_a_label(opened):
    found = {address: page.evaluate(UNLABELLED) for address, page in opened(viewport=DESKTOP)}
    assert {address: fields for address, fields in found.items() if fields} == {}
    assert found


def test_keyboard_reaches_everything_and_shows_where_it_is(opened):
    unseen = {}
    for address, page in opened(viewport=DESKTOP):
        stops = 0
        while stops < 60:
            page.keyboard.press("Tab")
            focused = page.evaluate(FOCUSED)
            if focused is None:
                break
            stops += 1
            if not focused[0]:
                unseen.setdefault(address, []).append(focused[1])
        assert stops >= 5, address
    assert unseen == {}


def test_first_stop_of_the_keyboard_skips_to_the_content(visitors, submitted):
    page = visitors.new()
    page.goto("/")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null")


def test_admin_and_the_description_of_the_api_work_under_the_content_security_policy(
    visitors, signed_in, owner_of_site, submitted
):
    page = signed_in(owner_of_site)
    benchmark = submitted[0].benchmark_id
    for address in ("", "benchmarks/result/", "papers/paper/", f"benchmarks/benchmark/{benchmark}/change/"):
        assert page.goto(f"/admin/{address}").status == 200
        assert page.locator("h1").count() > 0
    page.goto("/api/v1/docs")
    page.get_by_text("/api/v1/results/{key}", exact=True).first.wait_for()


def test_page_that_is_not_there_looks_like_the_site(visitors, db):
    page = visitors.new(viewport=PHONE)
    assert page.goto("/results/1").status == 404
    assert page.get_by_role("link", name="Benchmarks").is_visible()
    assert [one for one in visitors.complaints if "404" not in one] == []
    visitors.complaints.clear()
