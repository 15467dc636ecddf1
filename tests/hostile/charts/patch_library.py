# expect: forbidden
import matplotlib

open(matplotlib.__file__, 'a').write('x')
