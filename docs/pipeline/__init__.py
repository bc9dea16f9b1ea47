"""Build the site: stage the sources of each language, run Sphinx, finish the HTML.

Data flows one way, and each step is a module:

``project``     where everything is, and which languages there are
``rest``        finds the prose in reStructuredText and puts other prose in its place
``scripts``     the same for the comments and the docstring of a Python script
``catalogues``  reads, merges and judges the ``.po`` files that hold the Chinese
``gallery``     the scripts and introductions, in English and translated
``translate``   refreshes every catalogue from the sources      (``nox -s translate``)
``stage``       one complete Sphinx source tree per language
``reruns``      which scripts run again
``sphinx``      starts Sphinx, and makes what it says fit for a person
``build``       builds the pages of every language at the same time
``inspection``  what must be true of the finished HTML, or the build fails
``search``      the search index
``finish``      root pages, sitemap; then the old site makes place
``site``        all steps in their order                         (``nox -s docs``)
``links``       asks outside addresses               (``nox -s linkcheck``)
``serve``       all of this again on every save                     (``nox -s serve``)
"""
