// Make code, outputs and tables that scroll sideways reachable by keyboard.
for (const box of document.querySelectorAll("article :is(pre, .output_html, .table-wrapper)")) {
  if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
}
