"""How the files of recordings are named and read: text of any encoding, names in counting order."""
