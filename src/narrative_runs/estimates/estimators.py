"""The words for how reviews were drawn, and for how an estimate was made of them."""

RANDOM, STRATIFIED_DESIGN, ACTIVE = "random", "stratified", "active"
# What was drawn actively, by how certain the model was, is weighted by strata as any other.
DESIGNS = (RANDOM, STRATIFIED_DESIGN, ACTIVE)

POWERED = "PPI++"
POST_STRATIFIED = "post-stratified, small-sample interval"
STRATIFIED = "stratified, small-sample interval"
GAPS = "stratified, small-sample interval, with unreviewed strata"
POWERED_T = "PPI++, small-sample interval"
STRATIFIED_T = "stratified PPI++, small-sample interval"
TOO_FEW = "none: too few reviews"
NOTHING = "none: nothing is reviewed"

ESTIMATORS = {
    POWERED: "Reviews at random of 200 incidents or more, with five or more right and wrong answers of either value; "
    "for a mean of numbers, of so many that their skewness does not matter.",
    POST_STRATIFIED: "Reviews at random, too few for PPI++: small-sample intervals of the share of true units in what "
    "the model says yes, no and nothing of.",
    STRATIFIED: "Reviews drawn by strata: each stratum counts as much as it has units.",
    GAPS: "Small-sample intervals as well, but of a stratum, or of what the model says in it, nothing is reviewed: its "
    "share may be anything from 0 to 1.",
    POWERED_T: "A mean of numbers, from reviews at random that are too few, or too skewed, for PPI++'s own interval.",
    STRATIFIED_T: "A mean of numbers, from reviews drawn by strata.",
    TOO_FEW: "A mean of numbers needs reviews of two incidents, and of two in each stratum, that are not all alike.",
    NOTHING: "There is no review.",
}
