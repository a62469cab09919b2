"""The report on an import."""

from chassis.dumps.report import ImportReport, TableReport


def test_a_refusal_names_its_first_lines_and_counts_all() -> None:
    table = TableReport(read=7)
    table.refuse("b is missing", 2)
    for line in range(11, 17):
        table.refuse("id is not an integer", line)
    assert table.refused == 7
    assert ImportReport({"t": table}).lines()[-2:] == [
        "t: 6 × refused: id is not an integer (line 11, 12, 13, 14, 15, …)",
        "t: 1 × refused: b is missing (line 2)",
    ]
