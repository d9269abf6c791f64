"""An attacker who tries to learn one secret about one unit, and the measure of how far that goes.

The attacker reads the source code, the contract and every public parameter, and asks anything the language can say,
under one account or two. It does not know record keys, pseudonyms or noise. Two kinds of game:

value     the target's own value is the low or the high one of two that the attacker names;
presence  the target is in the data or not.

What else it knows depends on what a lane promises:

table      k, dominance and p % hide one among those who share a published number. So here the attacker knows who is in
           the data and every dimension of each, and of the values how they are spread. Against one who knows all
           other contributions to a number exact tables promise nothing: the sum tells the last one.
perturbed, private   everything of everyone but the secret.

Modules: `worlds` what is in the data and what the attacker believes; `questions` what it asks; `strategies` which
questions, in which order; `inference` what it makes of the answers; `space` the product's own functions in one process;
`over_api` the same over HTTP; `games` repetitions and the measured advantage; `bounds` what is promised; `switches`
builds with a rule switched off; `real_data` worlds of real people, loans and buildings.
"""
