"""THE list of the library's public names, by package: `test_public_names.py` holds it."""

# Packages that offer nothing to users.
INTERNAL = {
    "ls_keras.backend",
    "ls_keras.calibration.curves",
    "ls_keras.calibration.ranking",
    "ls_keras.calibration.scaling",
    "ls_keras.inputs",
    "ls_keras.losses.fused_linear",
}
OFFERED = {
    "ls_keras": """
        Accuracy AlphaSchedule BrierScore CalibratedModel ConfidencePenalty Diagnosis Distiller
        ExpectedCalibrationError FocalCE FusedLogits InputError LsKerasError MarginSmoothing MaxSup
        MutualInformation MutualInformationProbe NegativeLogLikelihood NegativeSmoothing
        Neighborhood Perplexity Prior ProjectionPlotter ReliabilityAccumulator ReliabilityCurve
        SmoothedBCE SmoothedCE TeacherLogits TemperatureFit TemperatureScaling TiedLogits Uniform
        Unigram VectorFit alpha_from_off_target beam_search calibrated calibration callbacks
        cluster_statistics confidence_spread decoding diagnose diagnosis distillation
        distillation_loss equivalent_smoothing expected_calibration_error fit_temperature
        fit_temperature_dataset fit_vector_scaling greedy_search information layers
        linear_smoothed_ce losses mean_logits metrics mutual_information nearest_classes
        off_target_from_alpha penultimate plots project project_classes reliability_curve
        reliability_diagram representation smooth_calibration_error smooth_labels
        smoothed_cross_entropy template_distances template_plane templates
    """,
    "ls_keras.calibration": """
        CalibratedModel ClasswiseFit Detection OODDetection LossDecomposition MatrixFit
        MixedTemperatureFit Recalibration ReliabilityAccumulator ReliabilityCurve RiskCoverage
        SmoothError SmoothReliability TemperatureCurve TemperatureFit VectorFit calibrated
        classwise_reliability confidence_auroc curve_of_statistics detection_score
        expected_calibration_error fit_histogram fit_isotonic fit_matrix_scaling
        fit_mixed_temperature fit_temperature fit_temperature_dataset fit_vector_scaling
        ood_detection logit_norm_confidence loss_decomposition reliability_curve
        risk_coverage smooth_calibration_error smooth_curve_of_statistics
        smooth_error_of_statistics smooth_reliability_curve temperature_curve
    """,
    "ls_keras.callbacks": """
        AlphaSchedule MutualInformationProbe ProjectionPlotter TemperatureScaling
    """,
    "ls_keras.decoding": """
        Hypotheses LengthPenalty ModelSearch Scorer Unsmoothing beam_search compiled greedy_search
        unsmoothed_log_probs
    """,
    "ls_keras.diagnosis": "Diagnosis Estimate diagnose",
    "ls_keras.distillation": """
        Distiller EquivalentSmoothing TeacherLogits distillation_loss equivalent_smoothing
        equivalent_smoothing_dataset
    """,
    "ls_keras.information": "MutualInformation estimator_bias mutual_information",
    "ls_keras.layers": """
        ClasswiseMap FusedLogits LogOdds LogProbabilities MatrixScaling MixedTemperature Temperature
        TiedLogits VectorScaling
    """,
    "ls_keras.losses": """
        ConfidencePenalty FocalCE MarginSmoothing MaxSup NegativeSmoothing Neighborhood Prior
        SmoothedBCE SmoothedCE Smoothing Uniform Unigram alpha_from_off_target deserialize get
        linear_smoothed_ce off_target_from_alpha serialize smooth_labels smoothed_cross_entropy
        with_alpha
    """,
    "ls_keras.metrics": """
        Accuracy BrierScore ExpectedCalibrationError NegativeLogLikelihood Perplexity get
    """,
    "ls_keras.plots": """
        AttentionMap attention_map attention_rows beam_panels distillation_curves
        distillation_points information_curve information_rows learning_curves learning_rows
        mean_logits_map mean_logits_rows projection_panels projection_rows
        reliability_diagram reliability_rows risk_coverage_diagram risk_coverage_rows save
        save_plot temperature_panels
    """,
    "ls_keras.representation": """
        ClusterAccumulator ClusterStatistics ConfidenceSpread MeanLogits Projection
        ProjectionSampler TemplatePlane cluster_statistics confidence_spread mean_logits
        nearest_classes penultimate project project_classes template_distances template_plane
        templates
    """,
}
PAIRS = [(package, name) for package, names in OFFERED.items() for name in names.split()]
