"""Maps drawn on this machine: outlines from Natural Earth (`README.md`), projected, labelled and marked as SVG.

``projection`` turns degrees into kilometres on a plane, ``outlines`` holds countries, lakes, rivers and towns,
``locating`` says which places of a content are known and how well, ``drawing`` makes what a template draws, and
``figures`` the map of a page with the list beside it.
"""
