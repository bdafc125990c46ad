// Click a column's heading to sort by it, again to turn the order around.
for (const heading of document.querySelectorAll("th")) {
  heading.addEventListener("click", () => {
    const table = heading.closest("table");
    const body = table.tBodies[0];
    const down = heading.getAttribute("aria-sort") === "ascending";
    const key = (row) => {
      const cell = row.cells[heading.cellIndex];
      const value = cell.dataset.value;
      return value === undefined ? cell.textContent.trim() : value === "" ? -Infinity : Number(value);
    };
    const rows = Array.from(body.rows, (row) => [key(row), row]);
    rows.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0) * (down ? -1 : 1));
    body.append(...rows.map(([, row]) => row));
    for (const other of table.querySelectorAll("th")) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
  });
}
