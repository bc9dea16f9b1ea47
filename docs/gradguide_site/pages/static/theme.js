document.documentElement.classList.remove("no-js"); // show what needs scripts at once

// Show the colours that the reader chose before; Furo's button changes them.
try {
  document.body.dataset.theme = localStorage.getItem("theme") || "auto";
} catch {
  document.body.dataset.theme = "auto"; // nothing may be kept here
}
