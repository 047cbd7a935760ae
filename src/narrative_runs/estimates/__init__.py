"""How common a finding is in the population: the model's answers, corrected by what people said of some of them.

Pure functions on arrays and tables. Each interval is of 95%, and for the rate behind the population, as the intervals
of the metrics are: where all is reviewed, it still has a width.

estimators           the words for designs and estimators
population           what is known of each unit
prediction_powered   PPI++, for reviews at random
stratified           shares of strata with small-sample intervals
prevalence           of a finding that is there or not
means                of a number
estimate             either, as one `Estimate`
difference           two groups compared
review_plan          how many reviews an interval takes
"""
