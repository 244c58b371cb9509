"""Draw what a program printed as an SVG picture of a terminal: terminal_picture.py TITLE < text > picture.svg."""

import sys
from xml.sax.saxutils import escape

CHARACTER, LINE, MARGIN = 8.43, 20, 20


def picture(title: str, lines: list[str]) -> str:
    """The SVG document; sized by the longest line."""
    width = 2 * MARGIN + CHARACTER * max(map(len, [*lines, title]))
    height = 3 * MARGIN + LINE * len(lines) + 10
    rows = "\n".join(
        f'<text x="{MARGIN}" y="{3 * MARGIN + LINE * number}" xml:space="preserve">{escape(line)}</text>'
        for number, line in enumerate(lines)
    )
    return f"""<svg xmlns="http://www.w3.org/2000/svg" role="img"
 viewBox="0 0 {width:.0f} {height}" width="{width:.0f}">
<title>{escape(title)}</title>
<rect width="100%" height="100%" rx="10" fill="#1d2430"/>
<g fill="#58657a"><circle cx="22" cy="20" r="6"/><circle cx="42" cy="20" r="6"/><circle cx="62" cy="20" r="6"/></g>
<g fill="#e6e9ef" font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
 font-size="14">
{rows}
</g>
</svg>"""


if __name__ == "__main__":
    print(picture(sys.argv[1], sys.stdin.read().rstrip().splitlines()))
