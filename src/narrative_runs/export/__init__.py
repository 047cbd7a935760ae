"""Export: parts of a finished experiment, for people who may not or need not have all of it.

sample           a stratified sample of the answers, with the weights that make up for it
variable_strata  by what it is drawn for one variable of the codebook
review           the sample as a sheet for a reviewer
no_text          the results without any text
export           the command
"""
