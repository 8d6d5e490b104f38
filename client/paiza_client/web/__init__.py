"""The officer's console: pages over the SDK, served to the officer's own browser on this machine.

Open only what you need; each file does one thing:

    serve       one process a profile: port, launch link, a second start
    console     the state: who is signed in, the session with the node, locked or not
    guard       what is refused before a page is asked: other hosts, origins, users, cookies
    page        what every page is made of: layout, form token, errors
    events      what arrives while pages are open
    texts       times, members and marks in words, for templates
    pages/      one module a page of the navigation; `pages.ROUTES` lists them all
    templates/  the markup; static/ the stylesheet, the script and the icon

A new page: a module in `pages` with `ROUTES`, a template that extends `layout.html`, its place in `page.NAVIGATION`.
Every page works without the script; only live arrival needs it.
"""
