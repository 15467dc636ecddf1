# expect: forbidden,exception
import multiprocessing

multiprocessing.Pool(4).map(print, range(4))
