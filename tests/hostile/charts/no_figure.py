# expect: no_figure
print('done')
