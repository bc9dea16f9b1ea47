// Let the keyboard reach what scrolls sideways in itself: code, outputs and tables.
for (const box of document.querySelectorAll("article :is(pre, .output_html, .table-wrapper)")) {
  if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
}
