# expect: exception,memory
class Swelling(Exception):
    def __str__(self):
        return 'x' * 10**12


raise Swelling
