"""Everything drawn for people: contact sheet, mosaics, map, matches, bits of a hash."""
