from rrvf.cli import main

main()
