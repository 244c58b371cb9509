from sotabench.tables import facts, table


def test_columns_stand_under_their_headings():
    rows = [{"name": "a", "is_public": True, "metrics": [{"name": "x"}, {"name": "y"}]}, {"name": "longer"}]
    assert table(rows, ["name", "is_public", "metrics"]) == (
        "name    is public  metrics\na       yes        x, y\nlonger"
    )


def test_nothing_is_said_in_a_word():
    assert table([], ["name"]) == "none"


def test_strangers_text_cannot_move_the_cursor_or_break_a_row():
    shown = table([{"name": "\x1b[2Ja\nb\u202e"}], ["name"]) + facts({"name": "\x1b[2J"})
    assert shown.count("\n") == 1
    assert "\x1b" not in shown
    assert "\u202e" not in shown
