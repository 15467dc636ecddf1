# expect: forbidden,limit,exception,memory
import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox


class Lying(Figure):
    """Small when it is asked for its size, large when it is drawn."""

    calls = 0

    @property
    def bbox(self):
        Lying.calls += 1
        return Bbox([[0, 0], [100, 100] if Lying.calls < 9 else [9000, 9000]])

    @bbox.setter
    def bbox(self, _):
        pass


plt.figure(FigureClass=Lying)
plt.plot([1, 3, 2])
Lying.calls = 8
