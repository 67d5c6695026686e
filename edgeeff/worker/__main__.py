from edgeeff.worker.serve import main

main()
