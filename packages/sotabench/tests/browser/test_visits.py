"""What people come for, each with a browser that runs scripts and with one that does not."""

import re

import pytest
from playwright.sync_api import expect

from sotabench.server.accounts.models import ApiToken
from sotabench.server.repositories.models import Repository

BOARD = "/benchmarks/image-classification-on-imagenet"
LONG = "A_model_whose_name_is_one_long_word_" * 4


def shows(page, models):
    """The leaderboard has, or soon has, these models from its top."""
    expect(page.locator("tbody th[scope=row]")).to_have_text(models)


def test_visitor_follows_a_model_from_the_front_page_to_its_code(visitor, submitted):
    visitor.goto("/")
    visitor.get_by_role("link", name="ImageNet", exact=True).first.click()
    expect(visitor.get_by_role("heading", level=1)).to_have_text("Image Classification on ImageNet")
    visitor.get_by_role("link", name="ResNeXt-101 64x4").click()
    expect(visitor.get_by_text("falls short").first).to_be_visible()
    expect(visitor.get_by_text("global rank 1")).to_be_visible()
    visitor.get_by_role("link", name="Aggregated Residual Transformations").click()
    expect(visitor.get_by_role("heading", name="Reported by the paper")).to_be_visible()
    visitor.get_by_role("link", name="pytorch/vision").first.click()
    expect(visitor).to_have_url(re.compile("/user/ada/repos/pytorch/vision$"))
    expect(visitor.get_by_role("heading", name="Latest results")).to_be_visible()
    visitor.get_by_role("link", name="#1", exact=True).click()
    expect(visitor.get_by_text("finished")).to_be_visible()


def test_leaderboard_is_searched_filtered_sorted_and_its_columns_are_chosen(visitor, submitted):
    visitor.goto(BOARD)
    ranked = ["ResNeXt-101 64x4", "ResNeXt-101-32x8d", LONG]
    shows(visitor, ranked)
    visitor.get_by_role("link", name="Top 1 Accuracy").click()
    shows(visitor, ranked[::-1])
    visitor.get_by_label("Search").fill("resnext")
    visitor.get_by_role("button", name="Show").click()
    shows(visitor, ["ResNeXt-101-32x8d", "ResNeXt-101 64x4"])
    visitor.get_by_role("combobox", name="Tier").select_option("verified")
    visitor.get_by_role("button", name="Show").click()
    expect(visitor.get_by_text("No result is as you ask")).to_be_visible()
    visitor.get_by_role("link", name="Show all").first.click()
    shows(visitor, ranked)

    visitor.get_by_text("Columns", exact=True).first.click()
    visitor.get_by_label("Paper").uncheck()
    visitor.get_by_label("Speed").check()
    visitor.get_by_role("button", name="Show").click()
    expect(visitor.get_by_role("columnheader", name="Speed")).to_be_visible()
    expect(visitor.get_by_role("columnheader", name="Paper")).to_have_count(0)
    visitor.get_by_role("link", name="A Processor / float32 / batch 128").first.click()
    expect(visitor.get_by_label("Speed measured on")).to_have_value("A Processor / float32 / batch 128")
    shows(visitor, [ranked[1], ranked[0], ranked[2]])  # equally fast
    visitor.get_by_role("link", name="Published figures").click()
    expect(visitor.get_by_role("row").nth(1)).to_contain_text("catalogue")
    visitor.get_by_label("Reported by").select_option("paper")
    visitor.get_by_role("button", name="Show").click()
    expect(visitor.get_by_role("row").nth(1)).to_contain_text("reported by the paper")
    visitor.get_by_role("link", name="Plot").click()
    expect(visitor.get_by_role("img")).to_be_visible()


def test_visitor_compares_two_models_image_by_image(visitor, submitted):
    visitor.goto(f"/results/{submitted[0].pk}")
    visitor.get_by_label("Image by image with").select_option(str(submitted[1].pk))
    visitor.get_by_role("button", name="Compare").click()
    expect(visitor.get_by_role("heading", name="A statistical tie")).to_be_visible()


def test_newcomer_signs_up_makes_and_revokes_a_token_and_hides_a_repository(visitor, visitors):
    visitor.goto("/")
    visitor.get_by_role("link", name="Sign up").click()
    visitor.get_by_label("Username").fill("grace")
    visitor.get_by_label("Password", exact=False).first.fill("a long passphrase 7")
    visitor.get_by_label("Password (again)").fill("a long passphrase 7")
    visitor.get_by_role("button", name="Make an account").click()
    visitor.get_by_role("link", name="Sign out").click()
    visitor.get_by_role("button", name="Sign out").click()

    visitor.get_by_role("link", name="Sign in").click()
    visitor.get_by_label("Username").fill("grace")
    visitor.get_by_label("Password").fill("a long passphrase 7")
    visitor.get_by_role("button", name="Sign in").click()
    visitor.get_by_role("link", name="Tokens").click()
    visitor.get_by_label("Name").fill("laptop")
    visitor.get_by_role("button", name="Make a token").click()
    expect(visitor.get_by_role("status")).to_contain_text("sb_")
    visitor.get_by_role("button", name="Revoke").click()
    expect(visitor.get_by_role("status")).to_contain_text("laptop is revoked")
    expect(visitor.get_by_role("button", name="Revoke")).to_have_count(0)
    assert ApiToken.objects.get().revoked_at

    visitor.get_by_role("link", name="Connect").click()
    visitor.get_by_label("Address").fill("https://github.com/grace/compiler")
    visitor.get_by_role("button", name="Connect").click()
    expect(visitor.get_by_role("heading", level=1)).to_have_text("Settings of grace/compiler")
    visitor.get_by_role("heading", level=1).get_by_role("link").click()
    expect(visitor.get_by_role("heading", level=1)).to_have_text("grace/compiler")
    assert _is_seen(visitors, "/user/grace/repos/grace/compiler")
    visitor.get_by_role("button", name="Make private").click()
    expect(visitor.get_by_role("button", name="Make public")).to_be_visible()
    assert not Repository.objects.get().is_public
    assert not _is_seen(visitors, "/user/grace/repos/grace/compiler")


@pytest.mark.parametrize("field", ["Username", "Password"])
def test_form_with_something_missing_says_what(visitors, live_server, field):
    page = visitors.new(java_script_enabled=False)
    page.goto("/accounts/login/")
    other = "Password" if field == "Username" else "Username"
    page.get_by_label(other).fill("something")
    page.locator("main").get_by_role("button", name="Sign in").click()
    expect(page.get_by_label(field)).to_be_focused()  # the browser itself asks for what is required


def _is_seen(visitors, address):
    """Whether a stranger sees the page; that it is missing is no complaint."""
    before = list(visitors.complaints)
    status = visitors.new().goto(address).status
    visitors.complaints[:] = [*before, *(one for one in visitors.complaints[len(before) :] if "404" not in one)]
    return status == 200
