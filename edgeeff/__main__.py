from edgeeff.cli import main

main()
