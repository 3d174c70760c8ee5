"""The commands of `sem-field`, one module each: HELP, add_arguments(parser), run(args). cli.py has their table."""
