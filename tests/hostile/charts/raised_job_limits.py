# expect: forbidden
import sys

frame = sys._getframe()
while frame:
    job = frame.f_locals.get('job')
    if isinstance(job, dict):
        job.update(max_pixels=10**12, canvas=None)
    frame = frame.f_back
import matplotlib.pyplot as plt
plt.figure(figsize=(50, 50))
plt.plot([1, 3, 2])
