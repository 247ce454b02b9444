"""
Charts as numbers: where each mark stands, computed without input or output. Templates draw them as SVG.

Places are percent of the plot's width and height, from its upper left corner, so that a chart fits every screen
and its text keeps its size. Axes of counts begin at 0.
"""
