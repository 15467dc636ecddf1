# expect: exception,forbidden
import matplotlib.pyplot as plt

plt.rcParams['text.usetex'] = True
plt.title(r'\input{__CANARY__}')
