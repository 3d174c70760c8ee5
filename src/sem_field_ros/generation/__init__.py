"""Labelled data of our own: homes/ builds furnished homes, drawing/ draws them, objects/ makes objects with parts."""
