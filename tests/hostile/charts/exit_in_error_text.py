# expect: exception
class Leaving(Exception):
    def __str__(self):
        raise SystemExit


raise Leaving
