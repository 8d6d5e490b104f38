"""Files that are attached: their types, the place taken out of pictures, and their sealing."""
